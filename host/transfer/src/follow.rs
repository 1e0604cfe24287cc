//! The body of a response that follows a running transfer.

use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use ledge_core::digest::Digest;
use ledge_store::{OpenFile, read_window};
use tokio::sync::watch;

use crate::counts::Counters;
use crate::direct::Direct;
use crate::transfer::{Progress, Rest, Stage, Transfer};

/// How many bytes a follower holds at a time: its whole window of memory.
const WINDOW: u64 = 128 * 1024;

/// What every follower of a transfer shares.
#[derive(Clone)]
pub(crate) struct Followed {
    pub(crate) digest: Digest,
    pub(crate) transfer: Arc<Transfer>,
    pub(crate) progress: watch::Receiver<Progress>,
    pub(crate) counters: Arc<Counters>,
    /// None if the disk has no room for it.
    pub(crate) file: Option<Arc<OpenFile>>,
    /// The object's size, if it is known.
    pub(crate) size: Option<u64>,
}

/// What a follower sends, and how far it is.
struct Cursor {
    of: Followed,
    /// The next byte.
    at: u64,
    /// The byte after the last; `None` is the object's end, wherever that is.
    end: Option<u64>,
    /// Whether this is the whole object, whose last bytes wait for the digest.
    whole: bool,
    /// Reads on from the origin, once the disk takes no more.
    direct: Option<Direct>,
}

/// What may be read now.
enum Next {
    /// So many bytes of the file.
    Window(u64),
    /// The rest, from the origin.
    Rest(Arc<Rest>),
    End,
}

type Step = Pin<Box<dyn Future<Output = (Cursor, io::Result<Option<Bytes>>)> + Send>>;

/// Reads what is on disk at full speed, and then the live edge. Never holds
/// more than one window; ends in an error if the transfer fails.
pub struct FollowBody {
    step: Option<Step>,
    /// Exact while it is known.
    left: Option<u64>,
}

impl FollowBody {
    /// Of a span, or of the whole. A span that is the whole is under the rule of the
    /// whole: its last bytes wait for the digest.
    pub(crate) fn new(of: Followed, span: Option<Range<u64>>) -> Self {
        let whole = span
            .as_ref()
            .is_none_or(|span| Some(span) == of.size.map(|size| 0..size).as_ref());
        let (at, end) = span.map_or((0, of.size), |span| (span.start, Some(span.end)));
        if !whole {
            of.counters.unverified.one();
        }
        let cursor = Cursor {
            of,
            at,
            end,
            whole,
            direct: None,
        };
        Self {
            left: end.map(|end| end - at),
            step: Some(Box::pin(cursor.step())),
        }
    }
}

impl fmt::Debug for FollowBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowBody")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl http_body::Body for FollowBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(step) = self.step.as_mut() else {
            return Poll::Ready(None);
        };
        let (cursor, result) = ready!(step.as_mut().poll(cx));
        self.step = None;
        Poll::Ready(match result {
            Ok(Some(bytes)) => {
                self.step = Some(Box::pin(cursor.step()));
                self.left = self.left.map(|left| left - bytes.len() as u64);
                Some(Ok(Frame::data(bytes)))
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl Cursor {
    async fn step(mut self) -> (Self, io::Result<Option<Bytes>>) {
        let result = self.advance().await;
        (self, result)
    }

    async fn advance(&mut self) -> io::Result<Option<Bytes>> {
        if self.direct.is_none() {
            match self.wait().await? {
                Next::End => return Ok(None),
                Next::Window(length) => return self.read(length).await.map(Some),
                Next::Rest(rest) => self.direct = Some(self.go_direct(&rest).await?),
            }
        }
        match &mut self.direct {
            Some(direct) => direct.next().await,
            None => Ok(None),
        }
    }

    /// Waits until there is something to read.
    async fn wait(&mut self) -> io::Result<Next> {
        if self.end.is_some_and(|end| self.at >= end) {
            return Ok(Next::End);
        }
        loop {
            let next = {
                let progress = self.of.progress.borrow_and_update();
                look(&progress, self.at, self.end, self.whole, self.of.size)?
            };
            if let Some(next) = next {
                return Ok(next);
            }
            // Whoever wants all of it is served by who fills the gaps.
            if let (false, Some(end)) = (self.whole, self.end) {
                self.of.transfer.ask(self.at, end);
            }
            let changed = self.of.progress.changed().await;
            changed.map_err(|_| io::Error::other("the transfer was dropped"))?;
        }
    }

    async fn read(&mut self, length: u64) -> io::Result<Bytes> {
        let file = self.of.file.as_ref();
        let file = file.ok_or_else(|| io::Error::other("the transfer has no file"))?;
        let bytes = read_window(file, self.at..self.at + length).await?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }

    async fn go_direct(&mut self, rest: &Rest) -> io::Result<Direct> {
        if self.whole && self.at != rest.hashed {
            // Sent before it was hashed, and the disk does not give it back.
            return Err(io::Error::other("the store failed in the middle"));
        }
        let turn = rest.turn().await;
        let stream = rest.stream(self.at, &self.of.counters);
        let end = self.end.unwrap_or(u64::MAX);
        Ok(if self.whole {
            let digest = self.of.digest.clone();
            Direct::whole(turn, stream, end, digest, rest.hasher.clone())
        } else {
            Direct::range(turn, stream, end)
        })
    }
}

/// What may be read from `at` up to `end`, if anything. A range of an unfinished object is
/// answered as soon as its bytes are there: the one place where bytes go out that no
/// digest stands behind yet.
fn look(
    progress: &Progress,
    at: u64,
    end: Option<u64>,
    whole: bool,
    size: Option<u64>,
) -> io::Result<Option<Next>> {
    let readable = match &progress.stage {
        Stage::Failed(error) => return Err(io::Error::other(error.clone())),
        Stage::Unkept(rest) if whole => rest.hashed,
        _ if whole => progress.released(size),
        _ => progress.present_from(at),
    };
    let readable = end.unwrap_or(u64::MAX).min(readable);
    if readable > at {
        return Ok(Some(Next::Window((readable - at).min(WINDOW))));
    }
    Ok(match &progress.stage {
        _ if progress.is_verified() => Some(Next::End),
        Stage::Unkept(rest) => Some(Next::Rest(rest.clone())),
        _ => None,
    })
}
