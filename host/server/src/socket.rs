//! A connection's socket: what was read to tell the protocol is read again, files are sent by the kernel, a
//! write does not wait for ever, and closing it loses no answer.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::activity::Activity;
use crate::stall::Stall;

/// What an HTTP/2 client says first (RFC 9113, section 3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The content type of the first TLS record, a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Holds the whole of nearly every first request, so that it costs one read, and
/// a whole ClientHello with post-quantum keys (some 1,800 bytes).
const FIRST_READ: usize = 4096;

/// How much of what a client still sends is thrown away before the socket is
/// closed, and for how long. A kernel that is given unread bytes to close on
/// resets the connection, and the client may lose the answer that explains it.
/// nginx's `lingering_timeout` is 5 s; a second is many round trips.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

pub(crate) struct Socket {
    stream: TcpStream,
    first: BytesMut,
    activity: Arc<Activity>,
    stall: Stall,
    closing: Option<Closing>,
}

/// The state of a socket whose sending side is closed.
struct Closing {
    left: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Socket {
    /// A write that waits for `write_timeout` fails, and closing resets the connection then.
    pub(crate) fn new(stream: TcpStream, activity: Arc<Activity>, write_timeout: Duration) -> Self {
        Self {
            stream,
            first: BytesMut::new(),
            activity,
            stall: Stall::new(write_timeout),
            closing: None,
        }
    }

    /// Reads until it is clear what the client speaks. `None` if it hung up, or
    /// speaks TLS: clients that try TLS first wait for an answer or the end.
    pub(crate) async fn detect(&mut self) -> io::Result<Option<Protocol>> {
        self.first.reserve(FIRST_READ);
        loop {
            if self.stream.read_buf(&mut self.first).await? == 0 {
                return Ok(None);
            }
            self.activity.heard();
            if self.first[0] == TLS_HANDSHAKE {
                return Ok(None);
            }
            let known = self.first.len().min(H2_PREFACE.len());
            if self.first[..known] != H2_PREFACE[..known] {
                return Ok(Some(Protocol::Http1));
            }
            if known == H2_PREFACE.len() {
                return Ok(Some(Protocol::Http2));
            }
        }
    }

    /// What the stream said to a write. Its flush does nothing, so writes are all that can wait.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.stall.watch(cx, written));
        match &written {
            Ok(_) => self.activity.spoke(),
            Err(error) if error.kind() == ErrorKind::TimedOut => self.give_up(),
            Err(_) => {}
        }
        Poll::Ready(written)
    }

    /// Has closing drop what the kernel still holds for the client. It would offer that for
    /// minutes to one that answers and takes nothing.
    fn give_up(&self) {
        // If it fails, the client is gone.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(closing) = &mut self.closing else {
            return Poll::Ready(());
        };
        let mut scratch = [0; 4096];
        while closing.left > 0 {
            let mut read = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    closing.left = closing.left.saturating_sub(read.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return closing.deadline.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let count = self.first.len().min(buf.remaining());
            buf.put_slice(&self.first[..count]);
            self.first.advance(count);
            if self.first.is_empty() {
                self.first = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ledge_sendfile::write(&self.stream, cx, bufs);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        // hyper copies bodies together where this is false.
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if !self.activity.unanswered() {
                return Poll::Ready(Ok(()));
            }
            self.closing = Some(Closing {
                left: LINGER_BYTES,
                deadline: Box::pin(tokio::time::sleep(LINGER)),
            });
        }
        self.poll_discard(cx).map(Ok)
    }
}
