//! A client that costs next to nothing: it compares what comes with what must come, and keeps
//! nothing. Two hundred of them share a machine with the server that they measure.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::ready;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

/// Bytes taken off a socket at a time: it stays in a core's second-level cache.
const BUFFER: usize = 256 << 10;

/// A header of an answer is far smaller.
const HEADER: usize = 16 << 10;

/// Header fields of an answer; servers send about fifteen.
const FIELDS: usize = 64;

/// What containerd accepts: without it, distribution 2.8 has no OCI manifests.
const ACCEPT: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*";

thread_local! {
    /// One a thread and not one a connection: bytes are compared before anything else is polled.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Bytes of the body.
    pub length: u64,
    /// Where a range begins.
    pub from: Option<u64>,
}

/// A connection that is kept between requests.
#[derive(Debug)]
pub struct Reader {
    stream: TcpStream,
    host: String,
    /// Bytes of the body that came with the header.
    ahead: Vec<u8>,
    /// Bytes of the body that are still to come.
    left: u64,
}

impl Reader {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host: address.to_string(),
            ahead: Vec::new(),
            left: 0,
        })
    }

    /// GETs a path, or its part from a byte on, and returns when the header is in.
    ///
    /// # Errors
    /// If there is no answer, or one without a length.
    pub async fn ask(&mut self, path: &str, from: Option<u64>) -> Result<Head> {
        let range = from.map_or_else(String::new, |from| format!("range: bytes={from}-\r\n"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\naccept: {ACCEPT}\r\n{range}\r\n",
            self.host
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::with_capacity(HEADER);
        loop {
            ensure!(bytes.len() < HEADER, "a header without an end");
            let count = self.stream.read_buf(&mut bytes).await?;
            ensure!(count > 0, "the connection was closed before a header");
            if let Some((head, end)) = parse(&bytes)? {
                self.ahead = bytes.split_off(end);
                self.left = head.length;
                return Ok(head);
            }
        }
    }

    /// Waits until a byte of the body is there.
    ///
    /// # Errors
    /// If there is none.
    pub async fn first(&self) -> Result<()> {
        ensure!(self.left > 0, "an empty body");
        if self.ahead.is_empty() {
            let mut byte = [0];
            let count = self.stream.peek(&mut byte).await?;
            ensure!(count > 0, "the body was cut before its first byte");
        }
        Ok(())
    }

    /// Takes up to `most` bytes of the body, and returns how many; 0 at its end.
    ///
    /// # Errors
    /// If the body is cut, or those of `sink`.
    pub async fn take(
        &mut self,
        most: usize,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<usize> {
        let most = usize::try_from(self.left).map_or(most, |left| most.min(left));
        if most == 0 {
            return Ok(0);
        }
        let count = if self.ahead.is_empty() {
            self.receive(most, sink).await?
        } else {
            let rest = self.ahead.split_off(most.min(self.ahead.len()));
            let taken = std::mem::replace(&mut self.ahead, rest);
            sink(&taken)?;
            taken.len()
        };
        self.left -= count as u64;
        Ok(count)
    }

    async fn receive(
        &mut self,
        most: usize,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<usize> {
        let left = self.left;
        let stream = &mut self.stream;
        poll_fn(move |context| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(&mut scratch[..most.min(BUFFER)]);
                ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
                let bytes = buffer.filled();
                if bytes.is_empty() {
                    return Err(anyhow::anyhow!("cut with {left} bytes to come")).into();
                }
                sink(bytes)?;
                Ok(bytes.len()).into()
            })
        })
        .await
    }

    /// Takes bytes of the body until `expected` came.
    ///
    /// # Errors
    /// If they differ, or the body is cut or ends before.
    pub async fn compare(&mut self, expected: &[u8]) -> Result<()> {
        let mut at = 0;
        while at < expected.len() {
            let rest = &expected[at..];
            let same = |bytes: &[u8]| {
                ensure!(rest.starts_with(bytes), "wrong bytes after {at}");
                Ok(())
            };
            match self.take(rest.len(), same).await? {
                0 => bail!("the body ended after {at} of {} bytes", expected.len()),
                count => at += count,
            }
        }
        Ok(())
    }

    /// Resets the connection, whatever is still to come.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn reset(self) -> Result<()> {
        Ok(self.stream.set_zero_linger()?)
    }
}

/// The header and where it ends; `None` if more of it is to come.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(end) = answer.parse(bytes).context("no HTTP")? else {
        return Ok(None);
    };
    let field = |name: &str| {
        let found = answer
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let status = answer.code.context("no status")?;
    let length = field("content-length")
        .and_then(|length| length.parse().ok())
        .with_context(|| format!("{status} without a length"))?;
    let from = field("content-range")
        .and_then(|range| range.strip_prefix("bytes ")?.split_once('-'))
        .and_then(|(from, _)| from.parse().ok());
    Ok(Some((
        Head {
            status,
            length,
            from,
        },
        end,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;
    use crate::script::{Act, Rule};
    use crate::{images, origin};

    #[test]
    fn headers_are_read_when_they_are_whole() -> Result<()> {
        let text = b"HTTP/1.1 206 Partial Content\r\ncontent-Length: 9\r\nContent-Range: bytes 5-13/14\r\n\r\nabc";
        let head = Head {
            status: 206,
            length: 9,
            from: Some(5),
        };
        assert_eq!(parse(text)?, Some((head, text.len() - 3)));
        assert_eq!(parse(&text[..40])?, None);
        parse(b"HTTP/1.1 200 OK\r\n\r\n").expect_err("no length");
        parse(b"SSH-2.0-x\r\n\r\n").expect_err("no HTTP");
        Ok(())
    }

    #[tokio::test]
    async fn bytes_are_compared_and_connections_kept() -> Result<()> {
        let (origin, image) = (Origin::start().await?, images::layered(5, &[300_000])?);
        origin.put("a", "v1", &image);
        let blob = &image.blobs[0];
        let path = format!("/v2/a/blobs/{}", blob.digest);
        let mut reader = Reader::open(origin.address()).await?;
        for _ in 0..2 {
            assert_eq!(reader.ask(&path, None).await?.status, 200);
            reader.first().await?;
            reader.compare(&blob.bytes).await?;
        }
        let head = reader.ask(&path, Some(1000)).await?;
        assert_eq!((head.status, head.from), (206, Some(1000)));
        reader.compare(&blob.bytes[1000..2000]).await?;
        reader.reset()?;
        wrong(&origin, &path, &blob.bytes).await
    }

    async fn wrong(origin: &origin::Origin, path: &str, bytes: &[u8]) -> Result<()> {
        for act in [Act::Tamper, Act::Truncate(1000), Act::Length(1000)] {
            let what = format!("{act:?}");
            origin.rule(Rule::new("", act).times(1));
            let mut reader = Reader::open(origin.address()).await?;
            reader.ask(path, None).await?;
            reader.compare(bytes).await.expect_err(&what);
        }
        Ok(())
    }
}
