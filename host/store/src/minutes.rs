//! Time as coarse as it is kept beside what is used.

use std::time::{Duration, SystemTime};

/// Minutes since the epoch: as fine as it is known when something was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Minutes(pub(crate) u32);

impl Minutes {
    /// Of a time; before the epoch is the epoch, and the last one is in the year 10136.
    pub(crate) fn of(time: SystemTime) -> Self {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self(u32::try_from(since.as_secs() / 60).unwrap_or(u32::MAX))
    }

    /// When they began.
    pub(crate) fn time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(self.0) * 60)
    }

    /// So much earlier.
    pub(crate) fn before(self, span: Duration) -> Self {
        let minutes = u32::try_from(span.as_secs() / 60).unwrap_or(u32::MAX);
        Self(self.0.saturating_sub(minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_of_any_time() {
        let epoch = SystemTime::UNIX_EPOCH;
        let second = Duration::from_secs(1);
        assert_eq!(Minutes::of(epoch - second), Minutes(0));
        assert_eq!(Minutes::of(epoch + 119 * second), Minutes(1));
        assert_eq!(Minutes::of(Minutes(u32::MAX).time()), Minutes(u32::MAX));
        assert_eq!(Minutes(5).before(120 * second), Minutes(3));
        assert_eq!(Minutes(5).before(Duration::MAX), Minutes(0));
    }
}
