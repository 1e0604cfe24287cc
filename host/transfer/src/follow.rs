//! The body of a response that follows a running transfer.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::watch;

use crate::transfer::{Progress, Stage};

/// How many bytes a follower holds at a time: its whole window of memory.
const WINDOW: u64 = 128 * 1024;

/// What a follower sends, and how far it is.
struct Cursor {
    file: Arc<File>,
    progress: watch::Receiver<Progress>,
    /// The object's size, if it is known.
    size: Option<u64>,
    /// The next byte.
    at: u64,
    /// The byte after the last; `None` is the object's end, wherever that is.
    end: Option<u64>,
    /// Whether this is the whole object, whose last bytes wait for the digest.
    whole: bool,
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
    pub(crate) fn new(
        file: Arc<File>,
        progress: watch::Receiver<Progress>,
        size: Option<u64>,
        span: Option<std::ops::Range<u64>>,
    ) -> Self {
        let whole = span.is_none();
        let (at, end) = span.map_or((0, size), |span| (span.start, Some(span.end)));
        let cursor = Cursor {
            file,
            progress,
            size,
            at,
            end,
            whole,
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
        let result = match self.next_window().await {
            Ok(Some(length)) => self.read(length).await.map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        (self, result)
    }

    /// How many bytes may be read at the cursor, waiting for them; `None` at the end.
    async fn next_window(&mut self) -> io::Result<Option<u64>> {
        let Self {
            progress,
            size,
            at,
            end,
            whole,
            ..
        } = self;
        if end.is_some_and(|end| *at >= end) {
            return Ok(None);
        }
        let seen = progress
            .wait_for(|progress| {
                let released = released(progress, *size, *whole);
                released > *at
                    || progress.is_verified()
                    || matches!(progress.stage, Stage::Failed(_))
            })
            .await
            .map_err(|_| io::Error::other("the transfer was dropped"))?;
        if let Stage::Failed(error) = &seen.stage {
            return Err(io::Error::other(error.clone()));
        }
        let released = released(&seen, *size, *whole);
        let end = end.unwrap_or(u64::MAX).min(released);
        Ok((end > *at).then(|| (end - *at).min(WINDOW)))
    }

    async fn read(&mut self, length: u64) -> io::Result<Bytes> {
        let (file, at) = (self.file.clone(), self.at);
        let bytes = tokio::task::spawn_blocking(move || {
            let mut window = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            file.read_exact_at(&mut window, at)?;
            io::Result::Ok(Bytes::from(window))
        })
        .await??;
        self.at += length;
        Ok(bytes)
    }
}

/// A range of an unfinished object is answered as soon as its bytes are there:
/// the one place where bytes go out that no digest stands behind yet.
fn released(progress: &Progress, size: Option<u64>, whole: bool) -> u64 {
    if whole {
        progress.released(size)
    } else {
        progress.written
    }
}
