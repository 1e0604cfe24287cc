//! Random numbers that a seed repeats.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// SplitMix64 (Steele, Lea and Flood, 2014): enough for tests, and the same everywhere.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that nobody knows yet.
    pub(crate) fn seed() -> u64 {
        RandomState::new().hash_one(0)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let number = self.number() % bound as u64;
        usize::try_from(number).expect("less than a usize")
    }

    pub(crate) fn is_in(&mut self, percent: u64) -> bool {
        self.number() % 100 < percent
    }
}
