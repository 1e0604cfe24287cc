//! What a caller gets: an object or ranges of it, stored or on its way.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use ledge_core::range::{ByteRange, Selection, select};
use ledge_store::{Object, ObjectBody};

use crate::error::FillError;
use crate::follow::{FollowBody, Followed};
use crate::multipart::Multipart;
use crate::transfer::Head;

/// How an answer came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was stored.
    Hit,
    /// This call started the transfer.
    Started,
    /// This call joined one.
    Followed,
    /// It comes from the origin and is not kept: the store has no room.
    Bypass,
}

/// An object, or ranges of it.
#[derive(Debug)]
pub struct Answer {
    /// The bytes.
    pub body: AnswerBody,
    /// The object's size in bytes, if it is known.
    pub size: Option<u64>,
    /// Which bytes of the object the body has. Several parts are in an [`AnswerBody::Several`].
    pub selection: Selection,
    /// How it came to be.
    pub outcome: Outcome,
    /// The origin's header fields; empty on a hit.
    pub headers: Arc<HeaderMap>,
    /// Which of the source's requests was answered with them.
    pub origin: Option<usize>,
    /// Whether an origin has shown the object to this source: it answered these very requests, in
    /// this call's transfer or in the one that it joined.
    pub is_shown: bool,
}

impl Answer {
    /// An answer from a stored object.
    ///
    /// # Errors
    /// [`FillError::Unsatisfiable`].
    pub fn stored(object: &Object, ranges: &[ByteRange]) -> Result<Self, FillError> {
        let (object, size) = (object.clone(), object.size());
        let (selection, body) = selected(ranges, size, move |span| {
            AnswerBody::Stored(object.body(span.unwrap_or(0..size)))
        })?;
        Ok(Self {
            body,
            size: Some(size),
            selection,
            outcome: Outcome::Hit,
            headers: Arc::default(),
            origin: None,
            is_shown: false,
        })
    }

    /// The same, of an object that has been fetched since it was asked for. `of_source` says whether
    /// that was with the caller's own source.
    pub(crate) fn fetched(self, outcome: Outcome, head: Head, of_source: bool) -> Self {
        Self {
            outcome,
            headers: head.headers,
            is_shown: of_source && head.origin.is_some(),
            origin: head.origin,
            ..self
        }
    }

    /// An answer from a running transfer; `of_source` says whether that is the caller's own source's.
    pub(crate) fn following(
        of: Followed,
        ranges: &[ByteRange],
        outcome: Outcome,
        head: Head,
        of_source: bool,
    ) -> Result<Self, FillError> {
        let (size, transfer) = (of.size, of.transfer.clone());
        let open = move |span| AnswerBody::Follow(FollowBody::new(of.clone(), span));
        let (selection, body) = match size {
            Some(size) => selected(ranges, size, open)?,
            None => (Selection::Whole, open(None)),
        };
        let all = match &selection {
            Selection::Whole => true,
            Selection::One(span) => Some(span.len()) == size,
            Selection::Several(_) => false,
        };
        if all {
            transfer.want_whole();
        }
        Ok(Self {
            body,
            size,
            selection,
            outcome,
            headers: head.headers,
            is_shown: of_source && head.origin.is_some(),
            origin: head.origin,
        })
    }
}

/// What the ranges select of an object of `size` bytes. `open` gives a part of it, or the whole.
fn selected(
    ranges: &[ByteRange],
    size: u64,
    open: impl Fn(Option<Range<u64>>) -> AnswerBody + Send + 'static,
) -> Result<(Selection, AnswerBody), FillError> {
    let selection = select(ranges, size).ok_or(FillError::Unsatisfiable(size))?;
    let body = match &selection {
        Selection::Whole => open(None),
        Selection::One(span) => open(Some(span.start..span.end)),
        Selection::Several(spans) => {
            let parts = Multipart::new(spans.clone(), size, move |span| open(Some(span)));
            AnswerBody::Several(Box::new(parts))
        }
    };
    Ok((selection, body))
}

/// An answer's bytes.
#[derive(Debug)]
pub enum AnswerBody {
    /// Of an object in the store.
    Stored(ObjectBody),
    /// Of a running transfer.
    Follow(FollowBody),
    /// Several parts of either.
    Several(Box<Multipart<AnswerBody>>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Stored(body) => Pin::new(body).poll_frame(cx),
            Self::Follow(body) => Pin::new(body).poll_frame(cx),
            Self::Several(body) => Pin::new(body.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Stored(body) => body.is_end_stream(),
            Self::Follow(body) => body.is_end_stream(),
            Self::Several(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Stored(body) => body.size_hint(),
            Self::Follow(body) => body.size_hint(),
            Self::Several(body) => body.size_hint(),
        }
    }
}
