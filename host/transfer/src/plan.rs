//! Who fetches which bytes of an object. Pure: no clock, no I/O.
//!
//! A transfer fetches an object in *claims*: spans that one request at a time
//! brings. One claim that runs to the end is an ordinary download. Somebody who
//! wants bytes far ahead makes a claim of their own; the claims behind it stop
//! where it starts, and nothing is fetched twice.

use std::collections::BTreeMap;
use std::ops::Range;

use rangemap::RangeSet;

/// How much a claim takes that must leave room for others: what containerd 2.1
/// asks for at a time, and aligned as it asks.
const PIECE: u64 = 8 << 20;

/// Who waits for a byte at most so far ahead of a running claim waits for that:
/// at 100 Mbit/s a MiB comes in 80 ms, which is what a request of its own would
/// take to be answered by an origin 40 ms away.
const NEAR: u64 = 1 << 20;

/// A claim runs over so few bytes, although they come another way: a response
/// that is cut loses more than this, namely all that is on its way.
const RUN_OVER: u64 = 64 * 1024;

/// Names a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClaimId(u64);

/// What is being fetched, and by whom.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The object's size; `u64::MAX` while it is not known.
    end: u64,
    /// What came, or was there before.
    fetched: RangeSet<u64>,
    claims: BTreeMap<ClaimId, Claim>,
    next: u64,
}

#[derive(Debug)]
struct Claim {
    /// The next byte that it brings.
    at: u64,
    /// Where it stops; another claim may draw that nearer.
    end: u64,
}

impl Plan {
    /// Of an object whose first `prefix` bytes are there.
    pub(crate) fn new(prefix: u64, size: Option<u64>) -> Self {
        let mut fetched = RangeSet::new();
        if prefix > 0 {
            fetched.insert(0..prefix);
        }
        Self {
            end: size.unwrap_or(u64::MAX),
            fetched,
            claims: BTreeMap::new(),
            next: 0,
        }
    }

    /// The size became known: nothing is claimed behind it.
    pub(crate) fn learn(&mut self, size: u64) {
        self.end = size;
        for claim in self.claims.values_mut() {
            claim.end = claim.end.min(size);
        }
    }

    /// Whether every byte came.
    pub(crate) fn is_complete(&self) -> bool {
        self.fetched.gaps(&(0..self.end)).next().is_none()
    }

    /// The first bytes that nobody brings yet: all up to what somebody does, or a
    /// piece of them.
    pub(crate) fn gap(&self, pieces: bool) -> Option<Range<u64>> {
        let mut taken = self.fetched.clone();
        for claim in self.claims.values().filter(|claim| claim.at < claim.end) {
            taken.insert(claim.at..claim.end);
        }
        let gap = taken.gaps(&(0..self.end)).next()?;
        let end = if pieces {
            gap.end.min(piece_end(gap.start))
        } else {
            gap.end
        };
        Some(gap.start..end)
    }

    /// What to claim for somebody who waits for the byte `at` and wants those up to
    /// `until`. `None` if it is there, or near.
    pub(crate) fn wanted(&self, at: u64, until: u64) -> Option<Range<u64>> {
        let until = until.min(self.end).min(piece_end(at));
        if at >= until || self.fetched.contains(&at) {
            return None;
        }
        let mut end = self.fetched.gaps(&(at..until)).next()?.end;
        for claim in self.claims.values() {
            if (claim.at..claim.end).contains(&at) && at - claim.at <= NEAR {
                return None;
            }
            if claim.at > at {
                end = end.min(claim.at);
            }
        }
        Some(at..end)
    }

    /// Claims a span. Whoever would have brought it stops before it, unless it is tiny.
    pub(crate) fn claim(&mut self, span: Range<u64>) -> ClaimId {
        let span = span.start..span.end.min(self.end);
        if span.end - span.start > RUN_OVER {
            for claim in self.claims.values_mut() {
                if claim.at < span.start {
                    claim.end = claim.end.min(span.start);
                }
            }
        }
        let id = ClaimId(self.next);
        self.next += 1;
        let (at, end) = (span.start, span.end);
        self.claims.insert(id, Claim { at, end });
        id
    }

    /// Where a claim stands, and where it stops. Empty when it is over.
    pub(crate) fn left(&self, id: ClaimId) -> Range<u64> {
        self.claims.get(&id).map_or(0..0, |claim| {
            claim.at..claim.end.min(self.end).max(claim.at)
        })
    }

    /// A claim brought `span`; which of these bytes are new.
    pub(crate) fn arrived(&mut self, id: ClaimId, span: Range<u64>) -> Vec<Range<u64>> {
        if let Some(claim) = self.claims.get_mut(&id) {
            claim.at = claim.at.max(span.end);
        }
        if span.is_empty() {
            return Vec::new();
        }
        let new = self.fetched.gaps(&span).collect();
        self.fetched.insert(span);
        new
    }

    /// Nobody fetches it any more; what did not come is free.
    pub(crate) fn release(&mut self, id: ClaimId) {
        self.claims.remove(&id);
    }
}

/// Where the piece ends that holds the byte `at`. A piece that would be small is
/// joined with the next one.
pub(crate) fn piece_end(at: u64) -> u64 {
    let end = (at / PIECE).saturating_add(1).saturating_mul(PIECE);
    if end - at < PIECE / 4 {
        end.saturating_add(PIECE)
    } else {
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: u64 = 100 << 20;

    #[test]
    fn a_download_is_one_claim() {
        let mut plan = Plan::new(0, Some(SIZE));
        assert_eq!(plan.gap(false), Some(0..SIZE));
        let id = plan.claim(0..SIZE);
        assert_eq!(plan.gap(false), None);
        assert_eq!(plan.arrived(id, 0..1000), vec![0..1000]);
        assert_eq!(plan.left(id), 1000..SIZE);
        assert!(!plan.is_complete());
        plan.release(id);
        assert_eq!(plan.gap(false), Some(1000..SIZE));
    }

    #[test]
    fn who_is_far_ahead_gets_a_claim_and_the_one_behind_stops_there() {
        let mut plan = Plan::new(0, Some(SIZE));
        let main = plan.claim(0..SIZE);
        plan.arrived(main, 0..1000);
        assert_eq!(plan.wanted(500, SIZE), None, "there");
        assert_eq!(plan.wanted(1000 + NEAR, SIZE), None, "near");
        let far = 50 << 20;
        let span = plan.wanted(far, SIZE).expect("far");
        assert_eq!(span, far..(56 << 20));
        let side = plan.claim(span);
        assert_eq!(plan.left(main), 1000..far);
        assert_eq!(plan.wanted(far, SIZE), None, "somebody brings it");
        plan.arrived(side, far..(56 << 20));
        plan.release(side);
        assert_eq!(plan.gap(false), Some((56 << 20)..SIZE));
    }

    #[test]
    fn tiny_ranges_stop_nobody_and_bring_nothing_twice() {
        let mut plan = Plan::new(0, Some(SIZE));
        let main = plan.claim(0..SIZE);
        let side = plan.claim(50_000_000..50_000_002);
        assert_eq!(plan.left(main), 0..SIZE);
        plan.arrived(side, 50_000_000..50_000_002);
        plan.release(side);
        let new = plan.arrived(main, 49_999_999..50_000_010);
        assert_eq!(new, vec![49_999_999..50_000_000, 50_000_002..50_000_010]);
    }

    #[test]
    fn pieces_are_aligned_and_leave_room() {
        let mut plan = Plan::new(0, Some(SIZE));
        assert_eq!(plan.gap(true), Some(0..PIECE));
        let first = plan.claim(0..PIECE);
        assert_eq!(plan.wanted(PIECE, SIZE), Some(PIECE..2 * PIECE));
        plan.claim(PIECE..2 * PIECE);
        assert_eq!(plan.gap(true), Some(2 * PIECE..3 * PIECE));
        plan.arrived(first, 0..PIECE - 5);
        plan.release(first);
        assert_eq!(plan.gap(true), Some(PIECE - 5..PIECE));
        assert_eq!(piece_end(PIECE - 5), 2 * PIECE);
        assert_eq!(piece_end(u64::MAX), u64::MAX);
    }

    #[test]
    fn an_unknown_size_is_learned() {
        let mut plan = Plan::new(0, None);
        let id = plan.claim(0..u64::MAX);
        plan.arrived(id, 0..10);
        plan.learn(10);
        assert!(plan.left(id).is_empty());
        assert!(plan.is_complete());
        assert!(Plan::new(0, Some(0)).is_complete());
    }

    proptest! {
        /// Whatever is claimed in whatever order, every byte comes exactly once.
        #[test]
        fn every_byte_comes_once(
            size in 1..40 * PIECE, prefix in 0..PIECE, pieces: bool,
            steps in proptest::collection::vec((0..4u8, any::<u64>(), 1..PIECE), 0..60),
        ) {
            let prefix = prefix.min(size);
            let mut plan = Plan::new(prefix, Some(size));
            let mut came = prefix;
            let mut running = Vec::new();
            for (kind, at, length) in steps {
                match kind {
                    0 => if let Some(gap) = plan.gap(pieces) {
                        running.push(plan.claim(gap));
                    },
                    1 => if let Some(span) = plan.wanted(at % size, size) {
                        running.push(plan.claim(span));
                    },
                    2 => if !running.is_empty() {
                        came += bring(&mut plan, running[at as usize % running.len()], length);
                    },
                    _ => if !running.is_empty() {
                        plan.release(running.swap_remove(at as usize % running.len()));
                    },
                }
            }
            for id in running {
                while !plan.left(id).is_empty() {
                    came += bring(&mut plan, id, PIECE);
                }
                plan.release(id);
            }
            while let Some(gap) = plan.gap(pieces) {
                let id = plan.claim(gap);
                while !plan.left(id).is_empty() {
                    came += bring(&mut plan, id, PIECE);
                }
                plan.release(id);
            }
            prop_assert!(plan.is_complete());
            prop_assert_eq!(came, size);
        }
    }

    fn bring(plan: &mut Plan, id: ClaimId, length: u64) -> u64 {
        let left = plan.left(id);
        let span = left.start..left.end.min(left.start + length);
        let new = plan.arrived(id, span);
        new.into_iter().map(|part| part.end - part.start).sum()
    }
}
