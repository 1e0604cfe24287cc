//! Bytes of an object as an HTTP body.

use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use super::OpenFile;
use super::cached;
use super::object::ObjectFile;

/// How much is read at once, 256 KiB. Measured with 100 MiB in the page cache on two cores, blocks
/// of 64 KiB took twice as long and blocks of 512 KiB as long. A slow client holds two: one that is
/// being sent, one read ahead.
const BLOCK: u64 = 256 * 1024;

/// The longest span that is read where it is asked for, if the page cache has it, 64 KiB: copying it takes
/// about as long as the two switches of threads that another one costs.
pub(super) const AT_ONCE: u64 = 64 * 1024;

/// How much of a mapped file is given at once, 1 MiB: whether the kernel has it in memory is asked once for so much,
/// and a client that breaks off has nobody wait for the rest.
const PIECE_BYTES: u64 = 1 << 20;

/// A span of an object. It yields exactly as many bytes as it announced, or ends in an error;
/// it never ends early in silence.
pub struct ObjectBody {
    /// Bytes that are still to be yielded.
    left: u64,
    source: Source,
}

enum Source {
    Memory(Bytes),
    File(Reader),
    Failed(io::Error),
    Spent,
}

impl ObjectBody {
    pub(super) fn empty() -> Self {
        Self {
            left: 0,
            source: Source::Spent,
        }
    }

    /// Of a span that is not in the object: it announces the span's length, and fails.
    pub(super) fn outside(span: &Range<u64>) -> Self {
        Self {
            left: span.end - span.start,
            source: Source::Failed(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// All of `bytes`, of which there are some.
    pub(super) fn from_memory(bytes: Bytes) -> Self {
        Self {
            left: bytes.len() as u64,
            source: Source::Memory(bytes),
        }
    }

    /// A span that is in the file and not empty.
    pub(super) fn from_file(file: ObjectFile, span: Range<u64>) -> Self {
        if span.end - span.start <= AT_ONCE
            && let Some(bytes) = cached::read(&file.file, span.clone())
        {
            return Self::from_memory(bytes);
        }
        Self {
            left: span.end - span.start,
            source: Source::File(Reader::new(file, span)),
        }
    }

    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Source::File(reader) = &mut self.source {
            let block = ready!(reader.poll_block(cx));
            if !matches!(block, Some(Ok(_))) {
                self.source = Source::Spent;
            }
            return Poll::Ready(block);
        }
        Poll::Ready(match std::mem::replace(&mut self.source, Source::Spent) {
            Source::Memory(bytes) => Some(Ok(bytes)),
            Source::Failed(error) => Some(Err(error)),
            Source::File(_) | Source::Spent => None,
        })
    }
}

/// Says how much is left, and nothing of the bytes.
impl fmt::Debug for ObjectBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBody")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Body for ObjectBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let block = ready!(self.poll_block(cx));
        if let Some(Ok(bytes)) = &block {
            self.left = self.left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(block.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A piece that is on its way: its file is being read until it was sent.
struct Piece {
    bytes: Bytes,
    _file: Arc<OpenFile>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Gives what the kernel has in memory as it is mapped, untouched (`ledge_sendfile`); reads the rest block by block on the blocking
/// pool, one block ahead of who asks.
struct Reader {
    file: ObjectFile,
    /// What no read was started for yet.
    rest: Range<u64>,
    running: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Reader {
    fn new(file: ObjectFile, rest: Range<u64>) -> Self {
        Self {
            file,
            rest,
            running: None,
        }
    }

    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.running.is_none() {
            if let Some(piece) = self.take_mapped() {
                return Poll::Ready(Some(Ok(piece)));
            }
            self.start();
        }
        let Some(running) = &mut self.running else {
            return Poll::Ready(None);
        };
        let block = ready!(Pin::new(running).poll(cx));
        self.running = None;
        // A read that was cancelled: the runtime is ending.
        let block = block.unwrap_or_else(|error| Err(io::Error::other(error)));
        if block.is_ok() && self.next_mapped().is_none() {
            self.start();
        }
        Poll::Ready(Some(block))
    }

    /// The next bytes, if they are mapped and in memory.
    fn take_mapped(&mut self) -> Option<Bytes> {
        let span = self.next_mapped()?;
        let bytes = self.file.mapped.as_ref()?.slice(span);
        self.rest.start += bytes.len() as u64;
        let file = self.file.file.clone();
        Some(Bytes::from_owner(Piece { bytes, _file: file }))
    }

    /// Where those are.
    fn next_mapped(&self) -> Option<Range<usize>> {
        let mapped = self.file.mapped.as_ref()?;
        let end = self
            .rest
            .end
            .min(self.rest.start.saturating_add(PIECE_BYTES));
        let span = usize::try_from(self.rest.start).ok()?..usize::try_from(end).ok()?;
        (!span.is_empty() && mapped.is_resident(span.clone())).then_some(span)
    }

    fn start(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let end = self.rest.end.min(self.rest.start.saturating_add(BLOCK));
        let span = self.rest.start..end;
        self.rest.start = end;
        let file = self.file.clone();
        self.running = Some(spawn_blocking(move || file.read(span)));
    }
}
