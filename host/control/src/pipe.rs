//! Bytes between a thread that blocks and a body that does not.

use std::io::{self, Read, Write};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::sync::mpsc;

/// How many bytes travel together, 256 KiB.
pub(crate) const BLOCK: usize = 256 * 1024;

/// How many of those wait.
pub(crate) const BLOCKS: usize = 4;

/// Bytes, or why there are no more.
pub(crate) type Block = io::Result<Bytes>;

/// The thread's end of a body that it makes.
pub(crate) struct Sending {
    to: mpsc::Sender<Block>,
    gathered: BytesMut,
}

impl Sending {
    pub(crate) fn new(to: mpsc::Sender<Block>) -> Self {
        Self {
            to,
            gathered: BytesMut::new(),
        }
    }

    /// Ends the body in the middle.
    pub(crate) fn cut(self, why: &str) {
        // Who has gone sees no end at all.
        let _ = self.to.blocking_send(Err(io::Error::other(why.to_owned())));
    }
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= BLOCK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let block = self.gathered.split().freeze();
        let sent = self.to.blocking_send(Ok(block));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// The thread's end of a body that it reads.
pub(crate) struct Receiving {
    from: mpsc::Receiver<Block>,
    rest: Bytes,
}

impl Receiving {
    pub(crate) fn new(from: mpsc::Receiver<Block>) -> Self {
        Self {
            from,
            rest: Bytes::new(),
        }
    }
}

impl Read for Receiving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.from.blocking_recv() {
                Some(block) => self.rest = block?,
                None => return Ok(0),
            }
        }
        let most = buffer.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut buffer[..most]);
        Ok(most)
    }
}
