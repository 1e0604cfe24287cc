//! What is going on in a connection: shared by its socket, its requests and its
//! watchdog.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Relaxed atomics do: each is a fact of its own, and for HTTP/1.1 all of them
/// are used by one task.
#[derive(Debug)]
pub(crate) struct Activity {
    born: Instant,
    running: AtomicUsize,
    last_ms: AtomicU64,
    unanswered: AtomicBool,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            born: Instant::now(),
            running: AtomicUsize::new(0),
            last_ms: AtomicU64::new(0),
            unanswered: AtomicBool::new(false),
        }
    }

    /// Bytes were read.
    pub(crate) fn heard(&self) {
        self.unanswered.store(true, Ordering::Relaxed);
    }

    /// Bytes were written.
    pub(crate) fn spoke(&self) {
        self.touch();
    }

    /// A request's header is complete.
    pub(crate) fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.unanswered.store(false, Ordering::Relaxed);
    }

    /// A response's body was handed over, or the request was given up.
    pub(crate) fn end(&self) {
        self.touch();
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many requests are running.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Whether bytes were read after the last request's header: a part of the
    /// next one, one that could not be parsed, or a body that nobody wanted.
    pub(crate) fn unanswered(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// For how long no request has run and no byte was written; zero while one runs.
    pub(crate) fn idle(&self) -> Duration {
        if self.running() > 0 {
            return Duration::ZERO;
        }
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.born.elapsed().saturating_sub(last)
    }

    fn touch(&self) {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
    }
}
