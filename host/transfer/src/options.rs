//! How transfers are bounded, and what becomes of them when nobody waits.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The bounds and the policies of all transfers.
#[derive(Clone, Copy, Debug)]
pub struct TransferOptions {
    /// Transfers that run at a time. More wait their turn, one origin after the other.
    pub running: usize,
    /// Transfers that run at a time from one origin.
    pub running_per_origin: usize,
    /// Transfers that may wait for a turn; one more is answered [`FillError::Busy`](crate::FillError::Busy).
    pub waiting: usize,
    /// Bytes a second that are taken from all origins together; 0 is unlimited.
    pub bandwidth: u64,
    /// Bytes a second that are taken from one origin; 0 is unlimited.
    pub bandwidth_per_origin: u64,
    /// What becomes of a transfer that every client has left.
    pub abandoned: Abandoned,
    /// What is fetched for the sake of a range.
    pub ranges: Ranges,
    /// How often, and how soon, an origin that broke off is asked again.
    pub retries: Retries,
}

/// How an origin that broke off is asked again. Each wait doubles the last one, with
/// jitter, so that transfers that broke together do not return together.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// How long the second try waits.
    pub first: Duration,
    /// The longest wait between two tries, and the longest `Retry-After` that is obeyed.
    pub longest: Duration,
    /// Tries in a row that bring not one byte before a transfer is given up.
    pub tries: usize,
}

impl Default for Retries {
    /// About 20 seconds of waiting in all: an origin takes that to be restarted, and
    /// clients bear it.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(5),
            tries: 8,
        }
    }
}

/// What becomes of a transfer that every client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// It goes on: the next client finds the object.
    Keep,
    /// It goes on if more than so many percent of it are there.
    KeepOver(u8),
    /// It ends. What came is kept for the next try.
    Stop,
}

/// What is fetched when a client wants only a range of what is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// The range at once, and the rest in the background.
    Whole,
    /// The same for objects up to this size; of larger ones only the ranges that are asked for.
    WholeUpTo(u64),
}

impl Retries {
    /// The waits between tries, one after the other.
    pub(crate) fn waits(self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_max_times(self.tries)
            .with_jitter()
            .build()
    }
}

impl Abandoned {
    /// Whether a transfer goes on of which `present` of `size` bytes are there. Of an unknown size
    /// nothing can be said, so that counts as the beginning.
    pub(crate) fn goes_on(self, present: u64, size: Option<u64>) -> bool {
        match self {
            Self::Keep => true,
            Self::Stop => false,
            Self::KeepOver(percent) => size.is_some_and(|size| {
                u128::from(present) * 100 > u128::from(size) * u128::from(percent)
            }),
        }
    }
}

impl Ranges {
    /// Whether an object of this size is fetched whole because a range of it was asked for.
    pub(crate) fn fetch_whole(self, size: u64) -> bool {
        match self {
            Self::Whole => true,
            Self::WholeUpTo(most) => size <= most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_decides() {
        let half = Abandoned::KeepOver(50);
        assert!(!half.goes_on(50, Some(100)));
        assert!(half.goes_on(51, Some(100)));
        assert!(!half.goes_on(51, None));
        assert!(half.goes_on(u64::MAX, Some(u64::MAX)));
        assert!(Abandoned::Keep.goes_on(0, None));
        assert!(!Abandoned::Stop.goes_on(100, Some(100)));
    }

    #[test]
    fn a_size_decides() {
        assert!(Ranges::Whole.fetch_whole(u64::MAX));
        assert!(Ranges::WholeUpTo(10).fetch_whole(10));
        assert!(!Ranges::WholeUpTo(10).fetch_whole(11));
    }
}
