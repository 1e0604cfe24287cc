//! A server that failed is left alone for a while, and people are told once.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// For how long a server that failed is not asked: so long a pull does not wait for it again.
const AWAY: Duration = Duration::from_secs(5);

/// Whether a server is there.
#[derive(Debug)]
pub struct Away {
    began: Instant,
    /// In milliseconds since the beginning; 0 if it is there.
    until: AtomicU64,
}

impl Away {
    /// It is there, as far as anybody knows.
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            until: AtomicU64::new(0),
        }
    }

    /// Whether it is of no use to ask.
    pub fn is_away(&self) -> bool {
        self.now() < self.until.load(Ordering::Relaxed)
    }

    /// It answered. `what` of it is told to people, if that is news.
    pub fn answered(&self, what: &str) {
        if self.until.swap(0, Ordering::Relaxed) > 0 {
            tracing::info!("{what} are there again");
        }
    }

    /// It failed. `without` says what is done without it, to people, if that is news.
    pub fn failed(&self, error: &dyn Display, without: &str) {
        let until = self.now() + u64::try_from(AWAY.as_millis()).unwrap_or(u64::MAX);
        if self.until.swap(until.max(1), Ordering::Relaxed) == 0 {
            tracing::warn!(%error, "{without}");
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Away {
    fn default() -> Self {
        Self::new()
    }
}
