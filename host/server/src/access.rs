//! One line in the log for every request, written when its body has ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderName, HeaderValue, Method, Request, Uri, response};

use crate::BoxError;
use crate::activity::Activity;

/// RFC 9211.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What the log calls the status of a request whose client hung up before the
/// answer was there (nginx's number for it).
const CLIENT_CLOSED: u16 = 499;

/// A running request. Dropping it ends the request.
pub(crate) struct Record {
    activity: Arc<Activity>,
    line: Option<Line>,
}

/// What the log line will say.
struct Line {
    started: Instant,
    peer: SocketAddr,
    method: Method,
    // Sharing its bytes; formatted only when the line is written.
    uri: Uri,
    status: u16,
    cache: Option<HeaderValue>,
    bytes: u64,
    length: Option<u64>,
    complete: bool,
}

impl Record {
    pub(crate) fn begin<B>(
        activity: Arc<Activity>,
        request: &Request<B>,
        peer: SocketAddr,
    ) -> Self {
        activity.begin();
        let logged = tracing::enabled!(target: "access", tracing::Level::INFO);
        let line = logged.then(|| Line {
            started: Instant::now(),
            peer,
            method: request.method().clone(),
            uri: request.uri().clone(),
            status: CLIENT_CLOSED,
            cache: None,
            bytes: 0,
            length: None,
            complete: false,
        });
        Self { activity, line }
    }

    /// The response's header is known, and the length of its body if that is.
    pub(crate) fn answered(&mut self, parts: &response::Parts, length: Option<u64>) {
        if let Some(line) = &mut self.line {
            line.status = parts.status.as_u16();
            line.cache = parts.headers.get(CACHE_STATUS).cloned();
            line.length = length;
        }
    }

    pub(crate) fn sent(&mut self, count: usize) {
        if let Some(line) = &mut self.line {
            line.bytes += count as u64;
        }
    }

    pub(crate) fn finished(&mut self) {
        if let Some(line) = &mut self.line {
            line.complete = true;
        }
    }

    pub(crate) fn failed(&self, error: &BoxError) {
        tracing::debug!(error = %error, "a body failed; its connection is cut");
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.activity.end();
        if let Some(line) = &self.line {
            line.write();
        }
    }
}

impl Line {
    /// Fields are given as strings, not as text to display, so that the log's
    /// writer escapes what a stranger put into them. The query is left out: it
    /// may hold a token.
    fn write(&self) {
        tracing::info!(
            target: "access",
            method = self.method.as_str(),
            path = self.uri.path(),
            status = self.status,
            bytes = self.bytes,
            ms = milliseconds(self.started),
            cache = self.cache.as_ref().and_then(|value| value.to_str().ok()),
            complete = self.is_complete(),
            peer = %self.peer,
        );
    }

    /// hyper drops a body that has given all its bytes without asking for its end.
    fn is_complete(&self) -> bool {
        self.complete || self.length == Some(self.bytes)
    }
}

/// Since then, to a microsecond.
fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_micros() as f64 / 1000.0
}
