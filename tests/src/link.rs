//! A slow link: latency each way and a rate that all its traffic shares.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// Bytes that pass at a time, so that concurrent streams share the rate fairly.
pub const PIECE: usize = 16 * 1024;

/// How much of its time a link may catch up on, because timers wake late by a
/// millisecond or more and a piece takes about one at 100 Mbit/s.
const SLACK: Duration = Duration::from_millis(20);

/// What a link is like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Speed {
    /// One-way.
    pub latency: Duration,
    /// Bytes a second; unlimited if `None`.
    pub rate: Option<u64>,
}

/// A link that is as fast as the machine.
pub const FAST: Speed = Speed {
    latency: Duration::ZERO,
    rate: None,
};

/// An edge site's way to a registry: 40 ms each way, 100 Mbit/s.
pub const SLOW: Speed = Speed {
    latency: Duration::from_millis(40),
    rate: Some(12_500_000),
};

/// The link; clones share its rate.
#[derive(Debug, Clone)]
pub struct Link {
    speed: Speed,
    /// When the wire is free again.
    free: Arc<Mutex<Instant>>,
}

impl Link {
    /// A link that nobody uses yet.
    #[must_use]
    pub fn new(speed: Speed) -> Self {
        Self {
            speed,
            free: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Takes as long as a packet needs from one end to the other.
    pub async fn cross(&self) {
        if !self.speed.latency.is_zero() {
            tokio::time::sleep(self.speed.latency).await;
        }
    }

    /// Waits for the wire's turn to carry `length` bytes.
    pub async fn carry(&self, length: usize) {
        if let Some(rate) = self.speed.rate {
            let until = self.reserve(length, rate);
            tokio::time::sleep_until(until).await;
        }
    }

    fn reserve(&self, length: usize, rate: u64) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let nanoseconds = length as u64 * 1_000_000_000 / rate.max(1);
        let earliest = Instant::now().checked_sub(SLACK).unwrap_or(*free);
        *free = (*free).max(earliest) + Duration::from_nanos(nanoseconds);
        *free
    }
}

/// `bytes` in pieces that the link carries one after the other.
pub fn pieces(bytes: Bytes) -> impl Iterator<Item = Bytes> {
    (0..bytes.len())
        .step_by(PIECE)
        .map(move |start| bytes.slice(start..bytes.len().min(start + PIECE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_streams_share_one_rate() {
        let link = Link::new(Speed {
            latency: Duration::from_millis(40),
            rate: Some(1000),
        });
        let start = Instant::now();
        tokio::join!(link.carry(500), link.carry(500));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        link.cross().await;
        assert_eq!(start.elapsed(), Duration::from_millis(1040));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_used_is_lost_but_for_the_slack() {
        let link = Link::new(Speed {
            latency: Duration::ZERO,
            rate: Some(1000),
        });
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        link.carry(1000).await;
        assert_eq!(start.elapsed(), Duration::from_secs(1) - SLACK);
    }

    #[test]
    fn pieces_are_the_whole() {
        for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE] {
            let bytes = Bytes::from(vec![7; length]);
            assert_eq!(pieces(bytes.clone()).collect::<Vec<_>>().concat(), bytes);
        }
    }
}
