//! Slices to a socket: those of files by `sendfile`, the others as ever.

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use rustix::fs::sendfile;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::mapped::{Found, find};

/// Shorter slices are not looked up: copying them costs less than the system call that they would have to themselves.
const SHORTEST: usize = 16 * 1024;

/// How much is read and sent where a file system does not do `sendfile`.
const READ: usize = 64 * 1024;

/// Whether a file system was found that does not do it: from then on nothing is mapped.
static FAILED: AtomicBool = AtomicBool::new(false);

/// How many bytes this process has sent so.
static SENT: AtomicU64 = AtomicU64::new(0);

/// How many bytes this process has sent by `sendfile`, since it began.
pub fn sent() -> u64 {
    SENT.load(Ordering::Relaxed)
}

/// False after it failed once.
pub(crate) fn is_possible() -> bool {
    !FAILED.load(Ordering::Relaxed)
}

/// What is to be sent next.
enum Next<'a> {
    /// So many of the slices; whether a file comes behind them.
    Slices(&'a [IoSlice<'a>], bool),
    File(Found, usize),
}

/// Writes as many of these bytes as the socket takes now, and at least one, as
/// [`AsyncWrite::poll_write_vectored`](tokio::io::AsyncWrite::poll_write_vectored) does.
///
/// # Errors
/// What sending gives; [`ErrorKind::UnexpectedEof`] if a file was cut since it was mapped.
pub fn write(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        // What the socket does not take makes tokio wait for it before the next try.
        match stream.try_io(Interest::WRITABLE, || send(stream.as_fd(), slices)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

/// Sends what stands before a file together with its first bytes: the header of an answer does not travel alone.
fn send(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let next = next(slices);
    let Next::Slices(some, true) = next else {
        return send_one(socket, &next);
    };
    let length: usize = some.iter().map(|slice| slice.len()).sum();
    let sent = send_one(socket, &next)?;
    if sent < length {
        return Ok(sent);
    }
    // If it takes no more, or fails, the next write finds that out.
    let more = send_one(socket, &self::next(&slices[some.len()..]));
    Ok(sent + more.unwrap_or(0))
}

fn next<'a>(slices: &'a [IoSlice<'a>]) -> Next<'a> {
    let file = |slice: &IoSlice<'_>| {
        let is_long = slice.len() >= SHORTEST;
        is_long.then(|| find(slice)).flatten()
    };
    for (n, slice) in slices.iter().enumerate() {
        if let Some(found) = file(slice) {
            return match n {
                0 => Next::File(found, slice.len()),
                _ => Next::Slices(&slices[..n], true),
            };
        }
    }
    Next::Slices(slices, false)
}

fn send_one(socket: BorrowedFd<'_>, next: &Next<'_>) -> io::Result<usize> {
    loop {
        let sent = match next {
            Next::Slices(slices, is_followed) => {
                let mut flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                if *is_followed {
                    flags |= SendFlags::MORE;
                }
                sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)
            }
            Next::File(found, length) => {
                let mut offset = found.offset;
                sendfile(socket, found.file(), Some(&mut offset), *length)
            }
        };
        return match (sent, next) {
            (Err(Errno::INTR), _) => continue,
            (Ok(0), Next::File(..)) => Err(ErrorKind::UnexpectedEof.into()),
            (Ok(sent), Next::File(..)) => {
                SENT.fetch_add(sent as u64, Ordering::Relaxed);
                Ok(sent)
            }
            (sent, Next::Slices(..)) => sent.map_err(Into::into),
            (Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP), Next::File(found, length)) => {
                FAILED.store(true, Ordering::Relaxed);
                read_and_send(socket, found, *length)
            }
            (Err(error), Next::File(..)) => Err(error.into()),
        };
    }
}

fn read_and_send(socket: BorrowedFd<'_>, found: &Found, length: usize) -> io::Result<usize> {
    let bytes = found.copy(length.min(READ))?;
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(rustix::net::send(socket, &bytes, flags)?)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::future::poll_fn;
    use std::io::Write;
    use std::sync::Arc;

    use bytes::Bytes;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::Mapped;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.expect("connected"), server.expect("accepted").0)
    }

    fn file(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        Arc::new(file)
    }

    /// Writes all of it, as hyper does.
    async fn write_all(stream: &TcpStream, pieces: &[Bytes]) -> io::Result<()> {
        let mut left: Vec<Bytes> = pieces.to_vec();
        while !left.is_empty() {
            let slices: Vec<_> = left.iter().map(|piece| IoSlice::new(piece)).collect();
            let mut sent = poll_fn(|cx| write(stream, cx, &slices)).await?;
            drop(slices);
            assert!(sent > 0);
            left.retain_mut(|piece| {
                let taken = sent.min(piece.len());
                sent -= taken;
                *piece = piece.slice(taken..);
                !piece.is_empty()
            });
        }
        Ok(())
    }

    #[tokio::test]
    async fn files_and_memory_arrive_in_order() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mapped = Mapped::new(file(&bytes), bytes.len() as u64).expect("mapped");
        let header = Bytes::from_static(b"header");
        let rows = [
            vec![header.clone(), mapped.slice(0..3_000_000)],
            vec![
                mapped.slice(7..2_000_000),
                header.clone(),
                mapped.slice(5..100_000),
            ],
            vec![header.clone(), header.clone(), mapped.slice(0..10)],
        ];
        for pieces in rows {
            let (mut client, server) = pair().await;
            let before = sent();
            let reader = tokio::spawn(async move {
                let mut all = Vec::new();
                client.read_to_end(&mut all).await.map(|_| all)
            });
            write_all(&server, &pieces).await.expect("sent");
            drop(server);
            let all = reader.await.expect("no panic").expect("read");
            assert!(all == pieces.concat(), "other bytes");
            let long = pieces.iter().filter(|piece| piece.len() >= SHORTEST);
            let long: usize = long.map(Bytes::len).sum();
            assert!(sent() - before >= long as u64, "not by sendfile");
        }
    }

    #[tokio::test]
    async fn a_file_that_was_cut_is_an_error() {
        let file = file(&[1; 100_000]);
        let mapped = Mapped::new(file.clone(), 100_000).expect("mapped");
        file.set_len(50_000).expect("cut");
        let (_client, server) = pair().await;
        let result = write_all(&server, &[mapped.slice(60_000..100_000)]).await;
        assert_eq!(result.expect_err("cut").kind(), ErrorKind::UnexpectedEof);
    }
}
