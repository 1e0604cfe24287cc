//! Records that know when they were last used, so that those that nobody needs any more can go.
//!
//! In front of each value stand a zero and four bytes: minutes since the epoch, in little-endian order.
//! What begins otherwise was written by an earlier version, and is as old as the first sweep that finds
//! it: Ledge's own records begin with a letter.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{KeyValueStore, KvError, RedbKv, check_record};
use crate::minutes::Minutes;

/// What a stamped value begins with.
const STAMPED: u8 = 0;

/// The length of a stamp.
const STAMP: usize = 5;

/// A use is noted when the last one was so long ago, a week: a record that is read all day is written once in it.
const NOTED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many records are looked at together.
const PAGE: usize = 1024;

/// What a record takes besides its key and value: its part of a page of the file, rounded up.
const OVERHEAD: u64 = 32;

/// How long records are kept, and how many.
#[derive(Clone, Copy, Debug)]
pub struct RecordBounds {
    /// For how long nobody has used what goes. A record that is used is as good as new.
    pub unused: Duration,
    /// How many bytes those of one label may take together, about. Of more, those go that were used
    /// the longest ago; those of the last minute stay.
    pub bytes: u64,
}

/// A record, and when it was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Bytes,
    /// When it was last used, to the week; none if an earlier version wrote it.
    pub used: Option<SystemTime>,
}

/// The records of one label, with their times.
pub(super) struct Aged(pub(super) RedbKv);

impl KeyValueStore for Aged {
    fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        let Some(found) = self.0.get(key)? else {
            return Ok(None);
        };
        let (used, value) = open(&found);
        let now = Minutes::of(SystemTime::now());
        if used.is_some_and(|used| used < now.before(NOTED)) {
            // If it cannot be noted now, the next use is.
            let _ = self.0.set(key, stamp(&value, now));
        }
        Ok(Some(value))
    }

    fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        check_record(key, &value)?;
        self.0
            .set(key, stamp(&value, Minutes::of(SystemTime::now())))
    }

    fn delete(&self, key: &str) -> Result<(), KvError> {
        self.0.delete(key)
    }

    /// It is a use, too.
    fn exists(&self, key: &str) -> Result<bool, KvError> {
        self.get(key).map(|value| value.is_some())
    }

    fn keys_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, KvError> {
        self.0.keys_after(after, limit)
    }

    fn flush(&self) -> Result<(), KvError> {
        self.0.flush()
    }
}

impl Aged {
    /// A page of them, as they are.
    pub(super) fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<Kept>, KvError> {
        let page = self.0.page(after, limit, Bytes::copy_from_slice)?;
        let kept = page.into_iter().map(|(key, record)| {
            let (used, value) = open(&record);
            let used = used.map(Minutes::time);
            Kept { key, value, used }
        });
        Ok(kept.collect())
    }

    /// Removes what is too old, and of what is too much the oldest. How many records went.
    ///
    /// A record that is set at this very moment may go with what it was before: it is learned again.
    pub(super) fn sweep(&self, bounds: &RecordBounds, now: SystemTime) -> Result<u64, KvError> {
        let now = Minutes::of(now);
        let mut sizes: BTreeMap<Minutes, u64> = BTreeMap::new();
        self.each(|key, used, length| {
            *sizes.entry(used.unwrap_or(now)).or_default() += size(key, length);
            used.is_none().then_some(Act::Stamp(now))
        })?;
        let since = keep_since(&sizes, bounds.bytes).max(now.before(bounds.unused));
        self.each(|_, used, _| used.filter(|used| *used < since).map(|_| Act::Remove))
    }

    /// Has every record looked at, by its key, its time and its length, and does what is to be done.
    /// How many were removed.
    fn each(
        &self,
        mut look: impl FnMut(&str, Option<Minutes>, usize) -> Option<Act>,
    ) -> Result<u64, KvError> {
        let (mut after, mut removed) = (None::<String>, 0);
        loop {
            let about = |value: &[u8]| (parse(value), value.len());
            let page = self.0.page(after.as_deref(), PAGE, about)?;
            let Some((last, _)) = page.last() else {
                return Ok(removed);
            };
            after = Some(last.clone());
            let mut changed = 0;
            for (key, (used, length)) in page {
                match look(&key, used, length) {
                    None => continue,
                    Some(Act::Remove) => {
                        self.0.delete(&key)?;
                        removed += 1;
                    }
                    Some(Act::Stamp(now)) => self.stamp(&key, now)?,
                }
                changed += 1;
            }
            if changed > 0 {
                // What waits is bounded.
                self.0.flush()?;
            }
        }
    }

    fn stamp(&self, key: &str, now: Minutes) -> Result<(), KvError> {
        match self.0.get(key)? {
            Some(value) if parse(&value).is_none() => self.0.set(key, stamp(&value, now)),
            _ => Ok(()),
        }
    }
}

/// What is done to a record.
enum Act {
    Remove,
    Stamp(Minutes),
}

fn size(key: &str, length: usize) -> u64 {
    key.len() as u64 + length as u64 + OVERHEAD
}

/// The earliest minute from which on all records together take at most `most` bytes; the last one at the latest.
fn keep_since(sizes: &BTreeMap<Minutes, u64>, most: u64) -> Minutes {
    let (mut sum, mut since) = (0_u64, None);
    for (minute, size) in sizes.iter().rev() {
        sum = sum.saturating_add(*size);
        if since.is_some() && sum > most {
            break;
        }
        since = Some(*minute);
    }
    since.unwrap_or_default()
}

/// When a record was used, and its value.
fn open(record: &Bytes) -> (Option<Minutes>, Bytes) {
    match parse(record) {
        Some(used) => (Some(used), record.slice(STAMP..)),
        None => (None, record.clone()),
    }
}

fn parse(record: &[u8]) -> Option<Minutes> {
    let (stamp, _) = record.split_first_chunk::<STAMP>()?;
    let [STAMPED, a, b, c, d] = *stamp else {
        return None;
    };
    Some(Minutes(u32::from_le_bytes([a, b, c, d])))
}

fn stamp(value: &[u8], used: Minutes) -> Bytes {
    let mut record = BytesMut::with_capacity(STAMP + value.len());
    record.put_u8(STAMPED);
    record.put_u32_le(used.0);
    record.put_slice(value);
    record.freeze()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::open_redb;
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const BOUNDS: RecordBounds = RecordBounds {
        unused: Duration::from_secs(365 * 24 * 60 * 60),
        bytes: u64::MAX,
    };

    fn records() -> (TempDir, Aged) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = open_redb(&dir.path().join("kv.redb")).expect("made");
        (dir, Aged(file.table("label")))
    }

    fn set_at(records: &Aged, key: &str, time: SystemTime) {
        let value = stamp(b"value", Minutes::of(time));
        records.0.set(key, value).expect("set");
    }

    fn keys(records: &Aged) -> Vec<String> {
        records.keys().expect("keys")
    }

    #[test]
    fn what_nobody_used_for_too_long_goes() {
        let (_dir, records) = records();
        let now = SystemTime::now();
        set_at(&records, "kept", now - 364 * DAY);
        set_at(&records, "old", now - 366 * DAY);
        set_at(&records, "of the future", now + DAY);
        assert_eq!(records.sweep(&BOUNDS, now).expect("swept"), 1);
        assert_eq!(keys(&records), ["kept", "of the future"]);
    }

    #[test]
    fn a_use_is_noted_once_a_week() {
        let (_dir, records) = records();
        let now = SystemTime::now();
        set_at(&records, "read", now - 300 * DAY);
        set_at(&records, "asked", now - 300 * DAY);
        set_at(&records, "yesterday", now - DAY);
        assert_eq!(records.get("read").expect("read"), Some("value".into()));
        assert!(records.exists("asked").expect("asked"));
        let raw = |key| records.0.get(key).expect("read").expect("there");
        let yesterday = raw("yesterday");
        records.get("yesterday").expect("read");
        assert_eq!(raw("yesterday"), yesterday);
        assert_eq!(records.sweep(&BOUNDS, now + 200 * DAY).expect("swept"), 0);
        assert_eq!(keys(&records).len(), 3);
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let (_dir, records) = records();
        let now = SystemTime::now();
        for number in 0..3000_u32 {
            set_at(&records, &format!("{number:04}"), now - number * DAY / 100);
        }
        let each = size("0000", STAMP + b"value".len());
        let bounds = RecordBounds {
            bytes: 1000 * each,
            ..BOUNDS
        };
        assert_eq!(records.sweep(&bounds, now).expect("swept"), 2000);
        let kept = keys(&records);
        assert_eq!((kept.len(), kept[999].as_str()), (1000, "0999"));
        // Those of one minute go together, and the last one stays.
        let bounds = RecordBounds { bytes: 0, ..BOUNDS };
        records.sweep(&bounds, now).expect("swept");
        assert_eq!(keys(&records), ["0000"]);
    }

    #[test]
    fn records_of_earlier_versions_are_read_and_begin_to_age() {
        let (_dir, records) = records();
        let now = SystemTime::now();
        for value in ["", "t2", "t2\nsha256:abc"] {
            records.0.set(value, value.into()).expect("set");
            assert_eq!(records.get(value).expect("read"), Some(value.into()));
        }
        assert_eq!(records.sweep(&BOUNDS, now).expect("swept"), 0);
        assert_eq!(records.get("t2").expect("read"), Some("t2".into()));
        assert_eq!(records.sweep(&BOUNDS, now + 366 * DAY).expect("swept"), 3);
        assert!(keys(&records).is_empty());
    }
}
