//! A way through a proxy to an origin (CONNECT, RFC 9110, section 9.3.6).

use std::io;

use http::{HeaderMap, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::headers::AGENT;
use crate::proxy::Proxy;
use crate::target::Target;

/// The largest answer that is read: proxies add a few fields and no body.
const MAX_ANSWER: usize = 8 * 1024;

/// The most fields of an answer, as many as hyper takes.
const MAX_FIELDS: usize = 100;

/// Why there is no way through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TunnelError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it asks for a user name and password, or does not take those that it got (407)")]
    Credentials,
    #[error("it refused to connect to {to}: status {status}")]
    Refused { to: String, status: u16 },
    #[error("its answer is not HTTP")]
    NotHttp,
    #[error("its answer is too long")]
    TooLong,
    #[error("it closed the connection")]
    Closed,
}

/// Asks the proxy at the other end of `stream` for a connection to `target`.
/// Afterwards the stream is the target's.
pub(crate) async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    target: &Target,
) -> Result<(), TunnelError> {
    let to = target.authority();
    stream.write_all(&request(proxy, &to)).await?;
    stream.flush().await?;
    match answer(stream).await? {
        200..=299 => Ok(()),
        407 => Err(TunnelError::Credentials),
        status => Err(TunnelError::Refused { to, status }),
    }
}

fn request(proxy: &Proxy, to: &str) -> Vec<u8> {
    let mut fields = HeaderMap::from_iter([(header::USER_AGENT, AGENT)]);
    proxy.authorize(&mut fields);
    let mut bytes = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    for (name, value) in &fields {
        let line: [&[u8]; 4] = [name.as_ref(), b": ", value.as_bytes(), b"\r\n"];
        bytes.extend(line.concat());
    }
    bytes.extend(b"\r\n");
    bytes
}

/// The status. The answer ends with its header: a client speaks first in TLS, so
/// what comes after it is not the origin's.
async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Result<u16, TunnelError> {
    let mut bytes = Vec::with_capacity(MAX_ANSWER);
    loop {
        let room = (MAX_ANSWER - bytes.len()) as u64;
        if room == 0 {
            return Err(TunnelError::TooLong);
        }
        if (&mut *stream).take(room).read_buf(&mut bytes).await? == 0 {
            return Err(TunnelError::Closed);
        }
        if let Some((status, end)) = parse(&bytes)? {
            let opened = (200..300).contains(&status);
            return match opened && end < bytes.len() {
                true => Err(TunnelError::NotHttp),
                false => Ok(status),
            };
        }
    }
}

/// The status and where the header ends, or `None` if more must come.
fn parse(bytes: &[u8]) -> Result<Option<(u16, usize)>, TunnelError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => Ok(response.code.map(|status| (status, end))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(TunnelError::NotHttp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str) -> Proxy {
        Proxy::parse(url, "").expect(url)
    }

    fn target(url: &str) -> Target {
        Target::of(&url.parse().expect(url)).expect(url)
    }

    /// What comes of an answer that arrives in pieces, after which the proxy hangs up.
    async fn outcome(pieces: &[&[u8]]) -> Result<(), TunnelError> {
        let (mut ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let playing = tokio::spawn(async move {
            for piece in pieces {
                theirs.write_all(&piece).await.expect("room");
                tokio::task::yield_now().await;
            }
            let mut sent = Vec::new();
            theirs.shutdown().await.expect("an end");
            theirs.read_to_end(&mut sent).await.expect("a request");
        });
        let proxy = proxy("http://proxy.lan");
        let opened = open(&mut ours, &proxy, &target("https://hub.example/")).await;
        drop(ours);
        playing.await.expect("no panic");
        opened
    }

    #[test]
    fn requests() {
        let agent = AGENT;
        let agent = agent.to_str().expect("text");
        for (url, to, expected) in [
            (
                "http://proxy.lan",
                "https://hub.example/v2/?secret",
                format!(
                    "CONNECT hub.example:443 HTTP/1.1\r\nHost: hub.example:443\r\n\
                     user-agent: {agent}\r\n\r\n"
                ),
            ),
            (
                "http://u:p@proxy.lan",
                "https://[::1]:8443/",
                format!(
                    "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n\
                     user-agent: {agent}\r\nproxy-authorization: Basic dTpw\r\n\r\n"
                ),
            ),
        ] {
            let sent = request(&proxy(url), &target(to).authority());
            assert_eq!(String::from_utf8(sent).expect("text"), expected);
        }
    }

    #[tokio::test]
    async fn answers() {
        let long = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'x'; MAX_ANSWER]].concat();
        let many = [b"HTTP/1.1 200 OK\r\n".as_slice(), &b"x: y\r\n".repeat(101)].concat();
        let refused = "it refused to connect to hub.example:443: status";
        for (pieces, expected) in [
            (vec![b"HTTP/1.1 200 Connection established\r\n\r\n".as_slice()], None),
            (vec![b"HTTP/1.0 204 X\r\nvia: a\r\n\r\n"], None),
            (vec![b"HTTP/1.1 2", b"00 OK\r", b"\nx: y\r\n\r", b"\n"], None),
            (
                vec![b"HTTP/1.1 407 X\r\n\r\nsecret"],
                Some("it asks for a user name and password, or does not take those that it got (407)".to_owned()),
            ),
            (vec![b"HTTP/1.1 403 X\r\n\r\n<html>"], Some(format!("{refused} 403"))),
            (vec![b"HTTP/1.1 100 X\r\n\r\n"], Some(format!("{refused} 100"))),
            (vec![b"HTTP/1.1 200 OK\r\n\r\nx"], Some("its answer is not HTTP".to_owned())),
            (vec![b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], Some("its answer is not HTTP".to_owned())),
            (vec![b"HTTP/1.1 2000 X\r\n\r\n"], Some("its answer is not HTTP".to_owned())),
            (vec![&many], Some("its answer is not HTTP".to_owned())),
            (vec![&long], Some("its answer is too long".to_owned())),
            (vec![b"HTTP/1.1 200 OK\r\n"], Some("it closed the connection".to_owned())),
            (vec![], Some("it closed the connection".to_owned())),
        ] {
            let error = outcome(&pieces).await.err().map(|error| error.to_string());
            assert_eq!(error, expected, "{pieces:?}");
        }
    }
}
