//! What transfers did since the start.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transfers that started.
    pub started: u64,
    /// Callers that joined one.
    pub followed: u64,
    /// Transfers that started before a client waited for them.
    pub prefetched: u64,
    /// Those of them that ended because a client needed their turn.
    pub yielded: u64,
    /// Transfers whose object is in the store.
    pub stored: u64,
    /// Transfers that ended without an object, whatever the reason.
    pub failed: u64,
    /// Times that bytes were not what the digest or the size promised.
    pub mismatched: u64,
    /// Times that an origin broke off and was asked for the rest.
    pub resumed: u64,
    /// Transfers that went on from what an earlier one had left.
    pub taken_up: u64,
    /// Requests for bytes far ahead.
    pub sides: u64,
    /// Answers with a range of an object that was not verified yet.
    pub unverified: u64,
    /// Answers that came from an origin without being kept, because the store has no room.
    pub unkept: u64,
    /// Bytes of objects that came from origins.
    pub received: u64,
}

/// The same, counting.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) started: Counter,
    pub(crate) followed: Counter,
    pub(crate) prefetched: Counter,
    pub(crate) yielded: Counter,
    pub(crate) stored: Counter,
    pub(crate) failed: Counter,
    pub(crate) mismatched: Counter,
    pub(crate) resumed: Counter,
    pub(crate) taken_up: Counter,
    pub(crate) sides: Counter,
    pub(crate) unverified: Counter,
    pub(crate) unkept: Counter,
    pub(crate) received: Counter,
}

/// A number that only grows. Nothing is ordered by it.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn read(&self) -> Counts {
        Counts {
            started: self.started.get(),
            followed: self.followed.get(),
            prefetched: self.prefetched.get(),
            yielded: self.yielded.get(),
            stored: self.stored.get(),
            failed: self.failed.get(),
            mismatched: self.mismatched.get(),
            resumed: self.resumed.get(),
            taken_up: self.taken_up.get(),
            sides: self.sides.get(),
            unverified: self.unverified.get(),
            unkept: self.unkept.get(),
            received: self.received.get(),
        }
    }
}
