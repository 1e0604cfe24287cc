//! Which object goes first. Pure: no clock, no I/O, no chance; the caller brings a sample.
//!
//! No library's policy fits: those of moka, quick_cache or foyer keep every key in memory (a
//! million objects would cost some hundred MiB) and start empty after a restart. Here an object's
//! standing is nine bytes beside its name in the index on the disk, and nobody lists them all: digests are
//! uniform, so the entries behind a random point of the index are a fair sample, and the worst of
//! a sample is bad enough (Redis evicts so).
//!
//! A standing is how often the object was used, where every use counts half as much after
//! [`HALF_LIFE`] (LRFU: Lee et al., IEEE Transactions on Computers 50, 2001). What is used once and never again, such as a
//! scan, goes soon; what was popular and is not any more goes in time. Time is counted in turns:
//! one has passed when as many bytes came into the store as it takes. So a quiet night ages
//! nothing, and the policy is the same for a store that turns over in an hour and in a year.

use super::entry::Entry;

/// How many of a sample's entries are compared. Of 8 the hit rate of a Zipf trace is 1 % worse, of 64
/// the same.
pub(crate) const SAMPLE: usize = 16;

/// How many units a turn has.
const TURN: u32 = 1024;

/// After so long a use counts half. Of 1 to 8 turns, few come nearest to recency, where new versions
/// take the place of old ones, and many to frequency, where a scan passes through: 3 lose little
/// in either.
const HALF_LIFE: u32 = 3 * TURN;

/// Uses that are nearer to each other than that are one: a rollout to a thousand nodes says no more
/// of tomorrow than one to ten. It costs nothing in the traces below.
const BURST: u32 = TURN / 32;

/// What a step of priority is worth: 64 steps, as a manifest has over a blob, are a turn.
const PRIORITY: i64 = TURN as i64 / 64;

/// The priority of what has none of its own.
pub(crate) const USUAL: u8 = 128;

/// A count is kept as its logarithm to the base 2, in so many parts: it fits into a byte, since
/// uses that are [`BURST`] apart add up to less than 2⁸.
const PARTS: f64 = 32.0;

/// The store's time, in units of which a turn has 1024.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turns(pub(crate) u32);

/// How an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// When it was last used, as far as that counts.
    pub(crate) at: Turns,
    /// What its uses counted then: the logarithm to the base 2, in 32nds.
    pub(crate) count: u8,
}

impl Standing {
    /// Of what is used for the first time.
    pub(crate) fn new(now: Turns) -> Self {
        Self { at: now, count: 0 }
    }

    /// After one more use.
    pub(crate) fn used(self, now: Turns) -> Self {
        // A time before the last one is a clock that a crash set back.
        let since = now.0.saturating_sub(self.at.0);
        if since < BURST {
            return self;
        }
        let halvings = f64::from(since) / f64::from(HALF_LIFE);
        let count = 1.0 + (f64::from(self.count) / PARTS - halvings).exp2();
        let count = (count.log2() * PARTS).round();
        Self {
            at: now,
            // Casts of floating point saturate.
            count: count as u8,
        }
    }

    /// When one use would count as much as all of these do: what is earlier goes first, at any time.
    fn rank(self) -> i64 {
        let lasts = f64::from(self.count) / PARTS * f64::from(HALF_LIFE);
        i64::from(self.at.0) + lasts.round() as i64
    }
}

/// The index of the entry that goes first, of those that may go at all.
pub(crate) fn first_to_go<'a>(sample: impl Iterator<Item = &'a Entry>) -> Option<usize> {
    let may_go = sample
        .enumerate()
        .filter(|(_, entry)| !entry.keeping.is_fixed());
    may_go
        .min_by_key(|(_, entry)| rank(entry))
        .map(|(index, _)| index)
}

/// The standing and the priority; of like ones what was used earlier by the clock.
fn rank(entry: &Entry) -> (i64, u32) {
    let priority = i64::from(entry.keeping.priority) - i64::from(USUAL);
    let rank = entry.standing.rank() + priority * PRIORITY;
    (rank, entry.used.0)
}

#[cfg(test)]
mod tests;
