//! Records of one table that are not in the file yet, seen by every reader as if they were.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::KvError;

/// How many bytes may wait for the disk, per table: 16 MiB, about 60,000 of Ledge's records,
/// which is far more than come in between two writes of a disk that works.
const MAX_WAITING: usize = 16 << 20;

/// What a record costs besides its bytes: the map's entry and two allocations, rounded up.
const OVERHEAD: usize = 128;

/// A value, or none for a key that was deleted.
pub(super) type Change = Option<Bytes>;

/// Changes by key.
pub(super) type Changes = BTreeMap<String, Change>;

#[derive(Default)]
pub(super) struct Pending {
    fresh: Changes,
    fresh_bytes: usize,
    /// What is being written; after a write that failed, what was to be written.
    writing: Arc<Changes>,
    writing_bytes: usize,
}

impl Pending {
    /// Notes a change; true if it is the first since the last [`Pending::begin`].
    pub(super) fn put(&mut self, key: &str, change: Change) -> Result<bool, KvError> {
        let bytes = key.len() + change.as_ref().map_or(0, Bytes::len) + OVERHEAD;
        if self.fresh_bytes + self.writing_bytes + bytes > MAX_WAITING {
            return Err(KvError::Behind);
        }
        let first = self.fresh.is_empty();
        self.fresh.insert(key.to_owned(), change);
        // Counts a key that is set again once more: a bound, not a size.
        self.fresh_bytes += bytes;
        Ok(first)
    }

    /// The latest change of `key`, if one waits.
    pub(super) fn get(&self, key: &str) -> Option<&Change> {
        self.fresh.get(key).or_else(|| self.writing.get(key))
    }

    /// The first `most` keys behind `after` that changed, with their latest change. If there are
    /// more, the last of these keys says how far this goes.
    pub(super) fn changed(&self, after: Option<&str>, most: usize) -> (Changes, Option<String>) {
        let first = |changes: &Changes| {
            let range = changes.range::<str, _>(behind(after));
            let copied = range.map(|(key, change)| (key.clone(), change.clone()));
            copied.take(most).collect::<Changes>()
        };
        let (mut changed, fresh) = (first(&self.writing), first(&self.fresh));
        let is_cut = changed.len().max(fresh.len()) >= most;
        changed.extend(fresh);
        while changed.len() > most {
            changed.pop_last();
        }
        let last = changed.last_key_value().filter(|_| is_cut);
        let until = last.map(|(key, _)| key.clone());
        (changed, until)
    }

    /// What is to be written now: everything that waits. [`Pending::written`] tells of success.
    pub(super) fn begin(&mut self) -> Arc<Changes> {
        let fresh = std::mem::take(&mut self.fresh);
        if self.writing.is_empty() {
            self.writing = Arc::new(fresh);
        } else {
            Arc::make_mut(&mut self.writing).extend(fresh);
        }
        self.writing_bytes += std::mem::take(&mut self.fresh_bytes);
        self.writing.clone()
    }

    /// What [`Pending::begin`] gave is in the file.
    pub(super) fn written(&mut self) {
        self.writing = Arc::default();
        self.writing_bytes = 0;
    }
}

/// The range of keys behind `after`.
pub(super) fn behind(after: Option<&str>) -> (Bound<&str>, Bound<&str>) {
    (
        after.map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &'static str) -> Change {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn the_latest_change_counts_through_a_write_and_a_failure() {
        let mut pending = Pending::default();
        assert!(pending.put("a", value("1")).expect("put"));
        assert!(!pending.put("b", value("1")).expect("put"));
        assert_eq!(pending.begin().len(), 2);
        assert_eq!(pending.get("a"), Some(&value("1")));
        assert!(pending.put("a", None).expect("put"));
        assert_eq!(pending.get("a"), Some(&None));
        let again = pending.begin();
        assert_eq!(again.get("a"), Some(&None));
        assert_eq!(again.get("b"), Some(&value("1")));
        let all = [("a".to_owned(), None), ("b".to_owned(), value("1"))];
        assert_eq!(pending.changed(None, 3), (all.clone().into(), None));
        let (behind, until) = pending.changed(Some("a"), 1);
        assert_eq!(behind, [all[1].clone()].into());
        assert_eq!(until.as_deref(), Some("b"));
        pending.written();
        assert_eq!(pending.get("a"), None);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut pending = Pending::default();
        let large = Some(Bytes::from(vec![0; 1 << 20]));
        let taken = (0..100).take_while(|n| pending.put(&n.to_string(), large.clone()).is_ok());
        assert_eq!(taken.count(), 15);
        pending.begin();
        assert!(matches!(
            pending.put("x", large.clone()),
            Err(KvError::Behind)
        ));
        pending.written();
        pending.put("x", large).expect("room again");
    }
}
