//! A bounded rate.

use std::time::{Duration, Instant};

/// Work that takes so many bytes a second at most.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: u64,
    began: Instant,
    done: u64,
}

impl Pace {
    /// At `rate` bytes a second; 0 is as fast as it goes.
    pub(crate) fn new(rate: u64) -> Self {
        Self {
            rate,
            began: Instant::now(),
            done: 0,
        }
    }

    /// So many bytes are done.
    pub(crate) fn spent(&mut self, bytes: u64) {
        self.done += bytes;
    }

    /// How long to wait before more is done.
    pub(crate) fn ahead(&self) -> Option<Duration> {
        let wait = self.due().checked_sub(self.began.elapsed())?;
        (!wait.is_zero()).then_some(wait)
    }

    /// How long what was done takes at least.
    fn due(&self) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        let seconds = self.done as f64 / self.rate as f64;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_their_time() {
        let mut pace = Pace::new(1000);
        assert_eq!(pace.ahead(), None);
        pace.spent(500);
        assert_eq!(pace.due(), Duration::from_millis(500));
        pace.spent(1_000_000_000);
        assert!(
            pace.ahead()
                .is_some_and(|wait| wait > Duration::from_secs(1000))
        );
        let mut pace = Pace::new(0);
        pace.spent(u64::MAX);
        assert_eq!(pace.ahead(), None);
    }
}
