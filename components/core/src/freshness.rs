//! Whether a tag has to be asked for again: RFC 9111, section 4.2, with the
//! operator's own lifetime, because registries send none.

use crate::record::TagRecord;

/// What a tag's record is worth at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The origin need not be asked.
    Fresh,
    /// The origin is to be asked; the record serves when it does not answer.
    Stale,
}

/// What `record` is worth at `now`, in seconds since the epoch, when a tag is
/// fresh for `fresh_seconds`. A record from the future is stale: the clock was
/// wrong then or is wrong now, and asking sets it right.
#[must_use]
pub const fn freshness(record: &TagRecord, now: u64, fresh_seconds: u64) -> Freshness {
    match now.checked_sub(record.checked_at) {
        Some(age) if age < fresh_seconds => Freshness::Fresh,
        _ => Freshness::Stale,
    }
}

/// For how many seconds more `record` is fresh; 0 if it is stale.
#[must_use]
pub const fn fresh_for(record: &TagRecord, now: u64, fresh_seconds: u64) -> u64 {
    match now.checked_sub(record.checked_at) {
        Some(age) => fresh_seconds.saturating_sub(age),
        None => 0,
    }
}

/// How long a stale record serves before an origin that does not answer is asked
/// again, in seconds: half a minute, so that an outage costs few clients a timeout
/// and is not noticed for long after its end.
const RETRY_SECONDS: u64 = 30;

/// The record after a try at `now` that the origin did not answer: fresh for half a
/// minute more, or for as long as a tag is fresh at all if that is less.
#[must_use]
pub fn postponed(record: TagRecord, now: u64, fresh_seconds: u64) -> TagRecord {
    let rest = RETRY_SECONDS.min(fresh_seconds);
    let checked_at = now.saturating_sub(fresh_seconds - rest);
    TagRecord {
        checked_at,
        ..record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::media_type::MediaType;

    fn record(checked_at: u64) -> TagRecord {
        TagRecord {
            digest: Digest::from_sha256(&[0; 32]),
            media_type: MediaType::parse("a/b").expect("a media type"),
            size: 0,
            checked_at,
        }
    }

    #[test]
    fn what_is_left_is_what_makes_it_fresh() {
        for (checked_at, now, fresh_seconds, left) in [
            (100, 100, 600, 600),
            (100, 699, 600, 1),
            (100, 700, 600, 0),
            (100, 99, 600, 0),
            (100, u64::MAX, 600, 0),
            (0, 5, 0, 0),
        ] {
            let record = record(checked_at);
            assert_eq!(fresh_for(&record, now, fresh_seconds), left);
            let fresh = freshness(&record, now, fresh_seconds) == Freshness::Fresh;
            assert_eq!(fresh, left > 0);
        }
    }

    #[test]
    fn an_outage_postpones() {
        for (now, fresh_seconds, until) in
            [(10_000, 600, 10_030), (10_000, 20, 10_020), (10, 600, 600)]
        {
            let kept = postponed(record(1), now, fresh_seconds);
            assert_eq!(freshness(&kept, until - 1, fresh_seconds), Freshness::Fresh);
            assert_eq!(freshness(&kept, until, fresh_seconds), Freshness::Stale);
        }
        let kept = postponed(record(1), 10_000, 0);
        assert_eq!(freshness(&kept, 10_000, 0), Freshness::Stale);
    }

    #[test]
    fn ages() {
        use Freshness::{Fresh, Stale};
        let rows = [
            (1000, 1000, 600, Fresh),
            (1000, 1599, 600, Fresh),
            (1000, 1600, 600, Stale),
            (1000, 999, 600, Stale),
            (1000, 0, 600, Stale),
            (1000, 1000, 0, Stale),
            (0, u64::MAX, u64::MAX, Stale),
            (u64::MAX, 0, u64::MAX, Stale),
        ];
        for (checked_at, now, fresh_seconds, expected) in rows {
            let record = record(checked_at);
            assert_eq!(
                freshness(&record, now, fresh_seconds),
                expected,
                "{checked_at} {now}"
            );
        }
    }
}
