//! The body of an origin's answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::error::{FetchError, Wait, root};

/// What an origin sends, as it comes. Fails when the origin pauses for too long,
/// or breaks off before the announced end.
#[derive(Debug)]
pub struct OriginBody {
    inner: Incoming,
    host: String,
    limit: Duration,
    // Made when the origin is waited for the first time: small bodies come with
    // their header.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl OriginBody {
    pub(crate) fn new(inner: Incoming, host: String, limit: Duration) -> Self {
        Self {
            inner,
            host,
            limit,
            timer: None,
            waiting: false,
        }
    }

    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<FetchError> {
        let deadline = Instant::now() + self.limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| FetchError::Timeout {
            host: self.host.clone(),
            wait: Wait::Body,
        })
    }

    fn broken(&self, error: &hyper::Error) -> FetchError {
        FetchError::Protocol {
            host: self.host.clone(),
            detail: root(error),
        }
    }
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = FetchError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FetchError>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.waiting = false;
                Poll::Ready(frame.map(|frame| frame.map_err(|error| self.broken(&error))))
            }
            Poll::Pending => self.poll_limit(cx).map(|error| Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
