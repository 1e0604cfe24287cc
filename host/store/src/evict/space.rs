//! What the parts of this folder share.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ledge_core::digest::Digest;

use super::books::{Books, Limits};
use super::index::{Index, State};
use super::measure::Shards;
use crate::blob::Readers;
use crate::kv::{KvError, OpenKvError};
use crate::minutes::Minutes;

/// How many digests' uses wait to be written, for some MiB. Of more, those that come first are noted:
/// what is used often is among them soon, and looking up more in the minute between would cost clients
/// what they come for.
const USES: usize = 1 << 14;

/// A use is written for its time alone when the last one that is written was so long ago: what is read all day
/// costs a write an hour.
const NOTED: Duration = Duration::from_secs(60 * 60);

/// The part of an age bound that a use may be later than what is written of it: little beside the bound.
const NOTED_PART: u32 = 64;

/// Which part of the store may come in before the index is written, a 256th: after a crash it is not
/// counted until the walk finds it. In a large store that is no write more than there are; in a small
/// one each large object costs one.
const UNSAVED: u64 = 256;

/// What the store holds, in objects and in bytes of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many objects are stored.
    pub objects: u64,
    /// What they take.
    pub stored: u64,
    /// Of that, what objects take that are never evicted.
    pub fixed: u64,
    /// What unfinished objects take.
    pub unfinished: u64,
    /// What running transfers will still take.
    pub promised: u64,
    /// What files take that were removed and are still read.
    pub held: u64,
    /// What all of the store takes, its records and directories included.
    pub used: u64,
    /// How many objects were evicted since it was opened.
    pub evicted: u64,
    /// What those took.
    pub evicted_bytes: u64,
    /// Whether all of that is known: not while objects are still looked for, after a process that did not
    /// end well.
    pub complete: bool,
}

/// The store's room, and who has a part in it.
pub(crate) struct Space {
    pub(super) books: Mutex<Books>,
    pub(super) index: Index,
    pub(super) shards: Shards,
    pub(crate) readers: Arc<Readers>,
    pub(super) max_age: Option<Duration>,
    /// Who was used since uses were last written.
    uses: Mutex<HashSet<Digest>>,
    /// Names and the index change together, one change at a time for each first byte of a digest.
    names: [Mutex<()>; 256],
    /// Held by who walks through all objects.
    pub(super) walking: Mutex<()>,
    /// Held by who makes room.
    pub(super) evicting: Mutex<()>,
    /// Whether there may be objects that the index does not know, or the other way round.
    incomplete: AtomicBool,
    /// Whether the index failed since it was looked at last.
    failed: AtomicBool,
    /// Whether the index was closed: it says that it is complete, and nothing more is expected.
    pub(super) closed: AtomicBool,
    /// Bytes of objects that came in since the index was written because of them.
    unsaved: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) evicted_bytes: AtomicU64,
    pub(super) bell: Arc<Bell>,
}

/// Wakes the keeper.
#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) state: Mutex<Rung>,
    pub(super) changed: std::sync::Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Rung {
    /// There is something to do.
    pub(super) now: bool,
    pub(super) closing: bool,
}

impl Space {
    /// Opens the index at `path`. From here on it is incomplete until it is closed.
    pub(crate) fn open(
        path: &Path,
        limits: Limits,
        max_age: Option<Duration>,
    ) -> Result<Self, OpenKvError> {
        let index = Index::open(path)?;
        let found = index.state().map_err(OpenKvError::read(path))?;
        let state = found.unwrap_or_default();
        let unsaid = State {
            complete: false,
            ..state
        };
        index
            .set_state(&unsaid)
            .and_then(|()| index.flush())
            .map_err(OpenKvError::read(path))?;
        Ok(Self {
            books: Mutex::new(Books::new(limits, state.totals, state.clock)),
            index,
            shards: Shards::default(),
            readers: Arc::default(),
            max_age,
            uses: Mutex::default(),
            names: [const { Mutex::new(()) }; 256],
            walking: Mutex::default(),
            evicting: Mutex::default(),
            incomplete: AtomicBool::new(!state.complete),
            failed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            unsaved: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            evicted_bytes: AtomicU64::new(0),
            bell: Arc::default(),
        })
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        lock(&self.books)
    }

    /// Looks at a directory of objects, to which a name was added.
    pub(crate) fn look(&self, shard: &Path) {
        self.shards.look(shard);
    }

    /// Until it is dropped, nobody else changes the file or the entry of this digest.
    pub(crate) fn name(&self, digest: &Digest) -> MutexGuard<'_, ()> {
        let byte = u8::from_str_radix(&digest.hex()[..2], 16).unwrap_or_default();
        self.shard(byte)
    }

    /// The same for all digests with this first byte.
    pub(super) fn shard(&self, byte: u8) -> MutexGuard<'_, ()> {
        lock(&self.names[usize::from(byte)])
    }

    /// Notes that somebody got the object.
    pub(crate) fn note_use(&self, digest: &Digest) {
        let mut uses = lock(&self.uses);
        if uses.len() < USES && !uses.contains(digest) {
            uses.insert(digest.clone());
        }
    }

    /// Those that were noted since the last call, in the order of the index: neighbours are looked up
    /// together.
    pub(super) fn take_uses(&self) -> Vec<Digest> {
        let uses = std::mem::take(&mut *lock(&self.uses));
        let mut uses: Vec<Digest> = uses.into_iter().collect();
        uses.sort_unstable_by(|one, other| one.hex().cmp(other.hex()));
        uses
    }

    /// How long after a use the next one is written for its time alone.
    pub(super) fn noted_each(&self) -> Duration {
        let part = self.max_age.map(|max_age| max_age / NOTED_PART);
        part.unwrap_or(NOTED).min(NOTED)
    }

    /// What the index answers. If it fails, pulls do not: the index is made to agree again later.
    pub(super) fn asked<T: Default>(&self, answer: Result<T, KvError>) -> T {
        answer.unwrap_or_else(|error| {
            tracing::warn!(%error, "the index of the store fails");
            self.failed.store(true, Ordering::Release);
            T::default()
        })
    }

    /// Whether the index may be wrong, so that a walk is due.
    pub(super) fn is_incomplete(&self) -> bool {
        self.incomplete.load(Ordering::Acquire) || self.failed.load(Ordering::Acquire)
    }

    /// A walk begins: what fails from here on asks for another one.
    pub(super) fn begin_walk(&self) {
        self.incomplete.store(true, Ordering::Release);
        self.failed.store(false, Ordering::Release);
        self.books().begin_recount();
    }

    /// Everything was looked at.
    pub(super) fn end_walk(&self) {
        self.books().end_recount();
        self.incomplete.store(false, Ordering::Release);
    }

    /// Counts an object that came in. True if so many came that the index is written at once.
    pub(super) fn is_unsaved(&self, disk: u64) -> bool {
        let most = self.books().capacity() / UNSAVED;
        let unsaved = self.unsaved.fetch_add(disk, Ordering::AcqRel) + disk;
        let is_due = unsaved > most;
        if is_due {
            self.unsaved.store(0, Ordering::Release);
        }
        is_due
    }

    /// Writes the sums. `complete` is said by who closes the index, and by nobody else.
    pub(super) fn save(&self, complete: bool) -> Result<(), KvError> {
        let state = {
            let books = self.books();
            State {
                totals: books.totals,
                clock: books.clock(),
                complete,
            }
        };
        self.index.set_state(&state)
    }

    pub(super) fn ring(&self) {
        lock(&self.bell.state).now = true;
        self.bell.changed.notify_all();
    }
}

/// What is locked is right after every statement, so a panic elsewhere is no reason to stop.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time, as coarse as it is kept.
pub(super) fn now() -> Minutes {
    Minutes::of(SystemTime::now())
}
