//! Space that running transfers will still take, so that two do not count on the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that are promised. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room(Arc<AtomicU64>);

/// A promise; what of it was not used is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    room: Room,
    left: u64,
}

impl Room {
    /// Promises `need` of `free` bytes, if they are not promised already.
    pub(crate) fn reserve(&self, free: u64, need: u64) -> Option<Reserved> {
        let take = |promised: u64| promised.checked_add(need).filter(|all| *all <= free);
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take)
            .ok()?;
        Some(Reserved {
            room: self.clone(),
            left: need,
        })
    }
}

impl Reserved {
    /// So many bytes were written: the file system counts them from now on.
    pub(crate) fn used(&mut self, bytes: u64) {
        let bytes = bytes.min(self.left);
        self.left -= bytes;
        self.room.0.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.used(self.left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_is_not_free() {
        let room = Room::default();
        let mut first = room.reserve(100, 60).expect("room");
        assert!(room.reserve(100, 50).is_none());
        first.used(20);
        // Written: the file system has less to give, and less is promised.
        let second = room.reserve(80, 40).expect("room");
        assert!(room.reserve(80, 1).is_none());
        first.used(1000);
        drop(first);
        drop(second);
        assert!(room.reserve(100, 100).is_some());
        assert!(room.reserve(u64::MAX, u64::MAX).is_some());
    }
}
