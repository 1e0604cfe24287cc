//! How a server of the kit ends a connection when a script wants it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    /// As HTTP has it.
    #[default]
    Regular,
    Finish,
    Close,
    Reset,
}

/// Ends one connection; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    end: watch::Sender<End>,
    /// How often the server had nothing left to write.
    flushes: watch::Sender<u64>,
}

impl Ending {
    /// Closes it after the answer under way, whose header announced nothing of it.
    pub fn finish(&self) {
        self.end.send_replace(End::Finish);
    }

    /// Closes it now.
    pub fn close(&self) {
        self.end.send_replace(End::Close);
    }

    /// Resets it now: the client gets an error in place of an end.
    pub fn reset(&self) {
        self.end.send_replace(End::Reset);
    }

    /// Once everything that the server has for the client is on its way: what ends the connection
    /// then takes nothing away.
    pub async fn sent(&self) {
        let mut flushes = self.flushes.subscribe();
        let before = *flushes.borrow();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = flushes.wait_for(|flushes| *flushes > before).await;
    }

    /// Once it was closed or reset.
    pub(crate) async fn at_once(&self) {
        self.becomes(|end| matches!(end, End::Close | End::Reset))
            .await;
    }

    /// Once it should end after its answer.
    pub(crate) async fn finished(&self) {
        self.becomes(|end| end == End::Finish).await;
    }

    async fn becomes(&self, wanted: impl Fn(End) -> bool) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.end.subscribe().wait_for(|end| wanted(*end)).await;
    }
}

/// A connection that its ending can reset.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    ending: Ending,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, ending: Ending) -> Self {
        Self { stream, ending }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if *self.ending.end.borrow() == End::Reset {
            // One that is closed by the other side already needs no reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when its own buffers are empty.
        self.ending.flushes.send_modify(|flushes| *flushes += 1);
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
