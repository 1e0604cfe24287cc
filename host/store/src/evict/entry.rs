//! What the index knows of an object.

use super::policy::{Standing, Turns, USUAL};
use crate::minutes::Minutes;

/// Why an object is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It can be fetched again, and goes when its room is needed.
    Cached,
    /// This is its only home: it goes when it is removed.
    Hosted,
    /// An operator wants it kept: it goes when it is removed.
    Pinned,
}

/// What eviction must know of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Why it is kept.
    pub class: Class,
    /// Of two `Cached` objects of like use the lower goes first. 128 is usual.
    pub priority: u8,
}

impl Default for Keeping {
    /// Cached, of the usual priority.
    fn default() -> Self {
        Self {
            class: Class::Cached,
            priority: USUAL,
        }
    }
}

impl Keeping {
    /// Whether eviction leaves it alone.
    pub(crate) fn is_fixed(self) -> bool {
        self.class != Class::Cached
    }

    /// Of two commits the stronger class and the higher priority stay.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            class: self.class.max(other.class),
            priority: self.priority.max(other.priority),
        }
    }
}

/// An object of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// How many bytes of the disk it takes.
    pub(crate) disk: u64,
    /// When it was last used.
    pub(crate) used: Minutes,
    pub(crate) standing: Standing,
    pub(crate) keeping: Keeping,
}

/// The length of an entry in the index.
const LENGTH: usize = 19;

impl Entry {
    /// As bytes: numbers in little-endian order, no version, since the store has one.
    pub(crate) fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&self.disk.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.used.0.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.standing.at.0.to_le_bytes());
        bytes[16] = self.standing.count;
        bytes[17] = match self.keeping.class {
            Class::Cached => 0,
            Class::Hosted => 1,
            Class::Pinned => 2,
        };
        bytes[18] = self.keeping.priority;
        bytes
    }

    /// The entry, if the bytes are one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
        let (disk, rest) = bytes.split_first_chunk::<8>()?;
        let (used, rest) = rest.split_first_chunk::<4>()?;
        let (at, rest) = rest.split_first_chunk::<4>()?;
        let [count, class, priority] = *rest else {
            return None;
        };
        let class = match class {
            0 => Class::Cached,
            1 => Class::Hosted,
            2 => Class::Pinned,
            _ => return None,
        };
        Some(Self {
            disk: u64::from_le_bytes(*disk),
            used: Minutes(u32::from_le_bytes(*used)),
            standing: Standing {
                at: Turns(u32::from_le_bytes(*at)),
                count,
            },
            keeping: Keeping { class, priority },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entries_round_trip(disk: u64, used: u32, at: u32, count: u8, class in 0..3_usize, priority: u8) {
            let class = [Class::Cached, Class::Hosted, Class::Pinned][class];
            let entry = Entry {
                disk,
                used: Minutes(used),
                standing: Standing { at: Turns(at), count },
                keeping: Keeping { class, priority },
            };
            prop_assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }

        #[test]
        fn garbage_is_no_entry(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let entry = Entry::decode(&bytes);
            prop_assert!(entry.is_none_or(|entry| entry.encode()[..] == bytes[..]));
        }
    }

    #[test]
    fn the_stronger_stays() {
        let (cached, pinned) = (
            Keeping::default(),
            Keeping {
                class: Class::Pinned,
                priority: 1,
            },
        );
        let both = Keeping {
            class: Class::Pinned,
            priority: USUAL,
        };
        assert_eq!(cached.or(pinned), both);
        assert_eq!(pinned.or(cached), both);
        assert!(both.is_fixed() && !cached.is_fixed());
    }
}
