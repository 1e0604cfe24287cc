//! Small objects that the disk has no room for, held in memory.
//!
//! What is on the disk is not: the kernel has what is asked for often in its page cache, from where an
//! object of a few KiB costs as much CPU as from here, and no memory that Ledge would have to bound.

use bytes::Bytes;
use ledge_core::digest::Digest;
use moka::sync::Cache;

/// The largest object that is held, 1 MiB. Manifests and configurations are smaller (the usual bound of a
/// manifest is 4 MiB, the usual size 2 KiB); layers are larger, and pass through unstored.
const MAX_OBJECT: u64 = 1 << 20;

/// What an entry costs besides its bytes: the digest (71 bytes) and the cache's own node, rounded
/// up. It keeps a million tiny objects from being free.
const OVERHEAD: u32 = 256;

pub(crate) struct Held {
    cache: Cache<Digest, Bytes>,
    capacity: u64,
}

impl Held {
    /// Holds `capacity` bytes; 0 holds nothing.
    pub(super) fn new(capacity: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, bytes: &Bytes| weight(bytes))
            .build();
        Self { cache, capacity }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Bytes> {
        self.cache.get(digest)
    }

    /// Whether an object of this size is held at all.
    pub(super) fn admits(&self, size: u64) -> bool {
        size <= MAX_OBJECT && size.saturating_add(OVERHEAD.into()) <= self.capacity
    }

    pub(super) fn insert(&self, digest: Digest, bytes: Bytes) {
        self.cache.insert(digest, bytes);
    }

    pub(crate) fn remove(&self, digest: &Digest) {
        self.cache.invalidate(digest);
    }
}

fn weight(bytes: &Bytes) -> u32 {
    u32::try_from(bytes.len())
        .unwrap_or(u32::MAX)
        .saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_what_is_small_and_fits() {
        let table = [
            (0, 0, false),
            (0, 256, true),
            (1, 256, false),
            (MAX_OBJECT, u64::MAX, true),
            (MAX_OBJECT + 1, u64::MAX, false),
            (u64::MAX, u64::MAX, false),
        ];
        for (size, capacity, admitted) in table {
            let held = Held::new(capacity);
            assert_eq!(held.admits(size), admitted, "{size} in {capacity}");
        }
    }
}
