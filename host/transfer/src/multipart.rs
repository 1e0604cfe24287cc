//! Several parts of an object as one body: `multipart/byteranges`, RFC 9110, section 14.6.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use ledge_core::range::{Parts, Span};

type Open<B> = Box<dyn Fn(Range<u64>) -> B + Send>;

/// Parts of an object, one after the other. It yields exactly as many bytes as it
/// announced, or ends in an error.
///
/// A part is opened when it is its turn, so that one is open at a time.
pub struct Multipart<B> {
    /// What stands between them.
    parts: Parts,
    open: Open<B>,
    waiting: vec::IntoIter<Span>,
    stage: Stage<B>,
    /// Bytes that are still to be yielded.
    left: u64,
}

/// What comes next.
enum Stage<B> {
    /// The header of the first part.
    Start,
    /// The bytes of a part, and how many of them are to come.
    Part(B, u64),
    /// Nothing: all was sent, or a part failed.
    Over,
}

impl<B> Multipart<B> {
    /// These parts of an object of `size` bytes, in this order. `open` gives the bytes of
    /// a part: offsets into the object, the end not included.
    pub fn new(
        spans: Vec<Span>,
        size: u64,
        open: impl Fn(Range<u64>) -> B + Send + 'static,
    ) -> Self {
        let parts = Parts::new(boundary(), size);
        Self {
            left: parts.length(&spans),
            parts,
            open: Box::new(open),
            waiting: spans.into_iter(),
            stage: Stage::Start,
        }
    }

    /// Has each part say of which type the object is.
    #[must_use]
    pub fn typed(mut self, media_type: &HeaderValue) -> Self {
        self.parts = self.parts.typed(media_type.as_bytes().to_vec());
        self.left = self.parts.length(self.waiting.as_slice());
        self
    }

    /// How many bytes are still to be yielded: of a fresh body the value of its `Content-Length`.
    pub fn content_length(&self) -> u64 {
        self.left
    }

    /// The value of its `Content-Type`.
    pub fn content_type(&self) -> String {
        self.parts.content_type()
    }

    /// What stands between the parts, and opens the next one.
    fn advance(&mut self) -> Bytes {
        let is_first = matches!(self.stage, Stage::Start);
        match self.waiting.next() {
            Some(span) => {
                self.stage = Stage::Part((self.open)(span.start..span.end), span.len());
                self.parts.header(is_first, span).into()
            }
            None => {
                self.stage = Stage::Over;
                self.parts.end().into()
            }
        }
    }
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin> Multipart<B> {
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let frame = match &mut self.stage {
                Stage::Over => return Poll::Ready(None),
                Stage::Start | Stage::Part(_, 0) => return Poll::Ready(Some(Ok(self.advance()))),
                Stage::Part(part, _) => ready!(Pin::new(part).poll_frame(cx)),
            };
            let bytes = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    // Trailers: a part has none.
                    Err(_) => continue,
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(Some(Err(ErrorKind::UnexpectedEof.into()))),
            };
            return Poll::Ready(Some(self.count(bytes)));
        }
    }

    /// A part has as many bytes as its header says.
    fn count(&mut self, bytes: Bytes) -> io::Result<Bytes> {
        if let Stage::Part(_, left) = &mut self.stage {
            let rest = left.checked_sub(bytes.len() as u64);
            *left = rest.ok_or_else(|| io::Error::other("a part is longer than its range"))?;
        }
        Ok(bytes)
    }
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin> Body for Multipart<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let bytes = ready!(this.poll_bytes(cx));
        match &bytes {
            Some(Ok(bytes)) => this.left -= bytes.len() as u64,
            Some(Err(_)) => this.stage = Stage::Over,
            None => {}
        }
        Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Says how much is left, and nothing of the bytes.
impl<B> fmt::Debug for Multipart<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart")
            .field("parts", &self.waiting.len())
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// 128 bits that nobody can foresee, as [`Parts::new`] wants them.
fn boundary() -> String {
    let keys = RandomState::new();
    format!("{:016x}{:016x}", keys.hash_one(0_u8), keys.hash_one(1_u8))
}

#[cfg(test)]
mod tests;
