//! A connection as it is kept: whether it was of use before, and whether a proxy
//! reads what is sent on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection to an origin, to a proxy, or through one: TCP, or TLS with a proxy.
pub(crate) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Whether a connection has brought an answer. One that has and then breaks
/// without any was probably closed by the origin while it was idle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proven(Arc<AtomicBool>);

impl Proven {
    pub(crate) fn prove(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What an origin's TLS, or else HTTP, is spoken over.
pub(crate) struct Wire {
    stream: Stream,
    forwarded: bool,
    proven: Proven,
}

impl Wire {
    /// The origin is at the other end.
    pub(crate) fn to_origin(stream: Stream) -> Self {
        Self::new(stream, false)
    }

    /// A proxy is, and passes requests on.
    pub(crate) fn to_proxy(stream: Stream) -> Self {
        Self::new(stream, true)
    }

    fn new(stream: Stream, forwarded: bool) -> Self {
        Self {
            stream,
            forwarded,
            proven: Proven::default(),
        }
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        let connected = self.stream.connected();
        connected.proxy(self.forwarded).extra(self.proven.clone())
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
