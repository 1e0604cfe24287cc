//! Which objects are stored, on the disk: a table of names and entries, and what is told of all.
//!
//! It is a cache of the directories. What it says of an object that is gone, and what it does not
//! say of one that is there, is mended when somebody comes across it, and by a walk after a process that did not
//! end well. Changes wait in memory and are written together, twice a second.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ledge_core::digest::Digest;

use super::books::Totals;
use super::entry::Entry;
use crate::kv::{KeyValueStore as _, KvError, OpenKvError, RedbFile, RedbKv, open_redb};

/// The record of what is told of all objects.
const STATE: &str = "state";

/// The length of that record.
const STATE_LENGTH: usize = 33;

/// What is told of all objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) totals: Totals,
    /// The store's time; see [`Books`](super::books::Books).
    pub(crate) clock: u64,
    /// Whether every object is in the index, and nothing else: the process before ended well.
    pub(crate) complete: bool,
}

/// The file of the index.
pub(crate) struct Index {
    file: RedbFile,
    objects: RedbKv,
    about: RedbKv,
    /// So that no two samples start at one place.
    random: RandomState,
    samples: AtomicU64,
}

impl Index {
    /// Opens it, and makes it if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenKvError> {
        let file = open_redb(path)?;
        Ok(Self {
            objects: file.table("objects"),
            about: file.table("about"),
            file,
            random: RandomState::new(),
            samples: AtomicU64::new(0),
        })
    }

    pub(crate) fn state(&self) -> Result<Option<State>, KvError> {
        let bytes = self.about.get(STATE)?;
        Ok(bytes.and_then(|bytes| State::decode(&bytes)))
    }

    pub(crate) fn set_state(&self, state: &State) -> Result<(), KvError> {
        let bytes = Bytes::copy_from_slice(&state.encode());
        self.about.set(STATE, bytes)
    }

    /// Makes everything durable that was set.
    pub(crate) fn flush(&self) -> Result<(), KvError> {
        self.file.flush()
    }

    pub(crate) fn get(&self, digest: &Digest) -> Result<Option<Entry>, KvError> {
        let bytes = self.objects.get(digest.hex())?;
        Ok(bytes.and_then(|bytes| Entry::decode(&bytes)))
    }

    pub(crate) fn set(&self, digest: &Digest, entry: &Entry) -> Result<(), KvError> {
        let bytes = Bytes::copy_from_slice(&entry.encode());
        self.objects.set(digest.hex(), bytes)
    }

    pub(crate) fn remove(&self, digest: &Digest) -> Result<(), KvError> {
        self.objects.delete(digest.hex())
    }

    /// Removes what is under a name, even if that is no digest.
    pub(crate) fn forget(&self, hex: &str) -> Result<(), KvError> {
        self.objects.delete(hex)
    }

    /// At most `limit` objects behind `after`, in the order of their digits.
    pub(crate) fn page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Option<Entry>)>, KvError> {
        self.objects.page(after, limit, Entry::decode)
    }

    /// A place in the index where a sample may start.
    pub(crate) fn anywhere(&self) -> String {
        let number = self.samples.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}", self.random.hash_one(number))
    }
}

/// The digest with these digits: the algorithms differ in how many there are.
pub(crate) fn digest(hex: &str) -> Option<Digest> {
    let of = |algorithm: &str| Digest::parse(&format!("{algorithm}:{hex}")).ok();
    of("sha256").or_else(|| of("sha512"))
}

impl State {
    fn encode(&self) -> [u8; STATE_LENGTH] {
        let Totals {
            objects,
            bytes,
            fixed,
        } = self.totals;
        let mut record = [0; STATE_LENGTH];
        let numbers = [objects, bytes, fixed, self.clock];
        for (place, number) in record.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        record[STATE_LENGTH - 1] = self.complete.into();
        record
    }

    fn decode(record: &[u8]) -> Option<Self> {
        let record: &[u8; STATE_LENGTH] = record.try_into().ok()?;
        let (numbers, _) = record.as_chunks::<8>();
        let [objects, bytes, fixed, clock] = *numbers else {
            return None;
        };
        Some(Self {
            totals: Totals {
                objects: u64::from_le_bytes(objects),
                bytes: u64::from_le_bytes(bytes),
                fixed: u64::from_le_bytes(fixed),
            },
            clock: u64::from_le_bytes(clock),
            complete: record[STATE_LENGTH - 1] == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::entry::Keeping;
    use super::super::policy::{Standing, Turns};
    use super::*;
    use crate::minutes::Minutes;

    fn entry(disk: u64) -> Entry {
        Entry {
            disk,
            used: Minutes(1),
            standing: Standing::new(Turns(2)),
            keeping: Keeping::default(),
        }
    }

    #[test]
    fn it_survives_and_reads_in_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("index.redb");
        let (short, long) = (
            Digest::from_sha256(&[0xab; 32]),
            Digest::from_sha512(&[0xaa; 64]),
        );
        let state = State {
            totals: Totals {
                objects: 2,
                bytes: u64::MAX,
                fixed: 7,
            },
            clock: 9,
            complete: true,
        };
        {
            let index = Index::open(&path).expect("made");
            assert_eq!(index.state().expect("read"), None);
            index.set(&short, &entry(1)).expect("set");
            index.set(&long, &entry(2)).expect("set");
            index.set_state(&state).expect("set");
        }
        let index = Index::open(&path).expect("opened");
        assert_eq!(index.state().expect("read"), Some(state));
        let all = index.page(None, 10).expect("read");
        let digests: Vec<_> = all.iter().map(|(hex, _)| digest(hex)).collect();
        assert_eq!(digests, [Some(long.clone()), Some(short.clone())]);
        assert_eq!(all[1].1, Some(entry(1)));
        index.remove(&long).expect("removed");
        assert_eq!(index.get(&long).expect("read"), None);
        assert_eq!(index.get(&short).expect("read"), Some(entry(1)));
    }

    #[test]
    fn samples_start_anywhere() {
        let dir = tempfile::tempdir().expect("a directory");
        let index = Index::open(&dir.path().join("index.redb")).expect("made");
        let starts: HashSet<String> = (0..100).map(|_| index.anywhere()).collect();
        assert_eq!(starts.len(), 100);
    }

    #[test]
    fn what_is_no_digest_is_none() {
        for hex in ["", "ab", &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(digest(hex), None, "{hex}");
        }
        assert_eq!(State::decode(&[0; STATE_LENGTH - 1]), None);
    }
}
