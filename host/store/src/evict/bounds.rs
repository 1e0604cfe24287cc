//! The bounds as an operator gives them.

use std::time::Duration;

use super::books::Limits;

/// The least that is kept free if nothing is said, as a part of the file system: an `ext4` keeps a
/// twentieth for root, and other programs beside a mirror want as much again.
const FREE_PART: u64 = 10;

/// The most that is kept free if nothing is said, 10 GiB: a tenth of a large disk is more than logs and
/// updates of other programs take.
const FREE_MOST: u64 = 10 << 30;

/// A size, or a part of the file system that the store lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the file system's size.
    Percent(u8),
}

impl Amount {
    fn of(self, total: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => {
                let part = u128::from(total) * u128::from(percent) / 100;
                u64::try_from(part).unwrap_or(u64::MAX)
            }
        }
    }
}

/// How much the store may take, and how long what nobody uses is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// What the whole directory may take of the disk, key-value stores and unfinished objects included.
    /// None is no such bound.
    pub max_size: Option<Amount>,
    /// What is kept free on the file system. None is a tenth of it, and at most 10 GiB.
    pub min_free: Option<Amount>,
    /// How long an object is kept that nobody asks for. None is as long as there is room.
    pub max_age: Option<Duration>,
}

impl Bounds {
    /// Up to the last byte of the disk, for ever.
    pub const NONE: Self = Self {
        max_size: None,
        min_free: Some(Amount::Bytes(0)),
        max_age: None,
    };

    /// In bytes, on a file system of `total` bytes.
    pub(crate) fn limits(&self, total: u64) -> Limits {
        let free = |amount: Amount| amount.of(total);
        Limits {
            max_size: self.max_size.map(|amount| amount.of(total)),
            min_free: self
                .min_free
                .map_or((total / FREE_PART).min(FREE_MOST), free),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_file_system() {
        let table = [
            (None, None, 50 << 30, (None, 5 << 30)),
            (None, None, 1 << 40, (None, 10 << 30)),
            (
                Some(Amount::Percent(80)),
                Some(Amount::Bytes(0)),
                1000,
                (Some(800), 0),
            ),
            (
                Some(Amount::Bytes(7)),
                Some(Amount::Percent(1)),
                u64::MAX,
                (Some(7), u64::MAX / 100),
            ),
        ];
        for (max_size, min_free, total, (size, free)) in table {
            let bounds = Bounds {
                max_size,
                min_free,
                max_age: None,
            };
            let limits = bounds.limits(total);
            assert_eq!((limits.max_size, limits.min_free), (size, free), "{total}");
        }
    }
}
