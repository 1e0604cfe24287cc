//! Content-addressed objects on the local file system.

mod body;
mod cached;
mod claims;
mod error;
mod held;
mod hot;
mod layout;
mod leftovers;
mod marks;
mod object;
mod open;
mod open_file;
mod partial;
mod quarantine;
mod tending;
mod window;

pub use body::ObjectBody;
pub use error::{OpenError, StoreError};
pub use leftovers::Leftover;
pub use object::Object;
pub use open_file::OpenFile;
pub(crate) use open_file::Readers;
pub use partial::Partial;
pub(crate) use quarantine::Quarantine;
pub use quarantine::{Fate, Quarantined};
pub use tending::Stored;
pub use window::read_window;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use ledge_core::digest::Digest;

use cached::Cached;
use claims::{Claim, Claims};
use held::Held;
use hot::Hot;
use layout::Layout;
use object::ObjectFile;

pub use crate::evict::Stranger;
use crate::evict::{Bounds, Keeper, Space, Usage};

/// What a store is opened with.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The store's directory; made if it is missing.
    pub path: PathBuf,
    /// How many bytes of small objects that the disk has no room for are held in memory; 0 for none.
    pub memory: u64,
    /// How long a transfer that broke can be resumed: what nothing was written to for longer is
    /// removed when the store is opened, and by [`BlobStore::sweep`].
    pub leftovers: Duration,
    /// How much it may take.
    pub bounds: Bounds,
}

/// The objects of one directory. Clones share it; the last one that is dropped closes its index, and unlocks it.
#[derive(Clone)]
pub struct BlobStore(Arc<Owner>);

/// The store, and the thread that keeps it in order.
struct Owner {
    /// Dropped first, so that nobody works when the index is closed.
    keeper: Option<Keeper>,
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) layout: Layout,
    pub(crate) held: Held,
    pub(crate) hot: Hot,
    pub(crate) space: Space,
    pub(crate) quarantine: Quarantine,
    /// How long a leftover is kept.
    leftovers: Duration,
    /// Whose partials live.
    pub(crate) claims: Claims,
    /// The next scratch file's number.
    number: AtomicU64,
    /// Locked; the store is this process's while it is open.
    _lock: File,
}

impl BlobStore {
    /// Opens the store, and makes it if there is none: takes its lock, checks its format,
    /// removes of an earlier process's unfinished objects those that cannot be resumed (for the
    /// others, see [`BlobStore::resume`]), and proves that it can be written.
    ///
    /// Objects are not listed: the index knows how many there are, and what they take. After a process that did
    /// not end well, and in a store of a format without one, a thread lists them meanwhile.
    ///
    /// Blocking: for the start of the process.
    ///
    /// # Errors
    /// [`OpenError`]; each text names the path and the remedy.
    pub fn open(options: &StoreOptions) -> Result<Self, OpenError> {
        let layout = Layout::new(options.path.clone());
        let opened = open::open(&layout, options)?;
        let quarantine = Quarantine::open(&layout.quarantine())?;
        let inner = Arc::new(Inner {
            layout,
            quarantine,
            held: Held::new(options.memory),
            hot: Hot::default(),
            space: opened.space,
            leftovers: options.leftovers,
            claims: Claims::default(),
            number: AtomicU64::new(0),
            _lock: opened.lock,
        });
        let keeper = Keeper::start(inner.clone()).map_err(OpenError::Thread)?;
        Ok(Self(Arc::new(Owner {
            keeper: Some(keeper),
            inner,
        })))
    }

    /// The object, if it is stored. Waits for nothing if the kernel has it in memory. It counts as a use.
    ///
    /// # Errors
    /// [`StoreError::Io`] if its file is there and cannot be read.
    pub async fn find(&self, digest: &Digest) -> Result<Option<Object>, StoreError> {
        let inner = &self.0.inner;
        let stored = match inner.load_at_once(digest) {
            Some(known) => known,
            None => {
                let (inner, digest) = (inner.clone(), digest.clone());
                blocking(move || inner.load(&digest)).await?
            }
        };
        Ok(stored.or_else(|| inner.held.get(digest).map(Object::in_memory)))
    }

    /// Holds a small object in memory alone, for as long as there is room: what is left to do when
    /// the disk is full. False if it is too large for that. The caller has verified it.
    pub fn hold(&self, digest: &Digest, bytes: &Bytes) -> bool {
        let held = &self.0.inner.held;
        let admitted = held.admits(bytes.len() as u64);
        if admitted {
            held.insert(digest.clone(), bytes.clone());
        }
        admitted
    }

    /// The object's size in bytes, if it is stored. It counts as no use.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the file system does not say.
    pub async fn stat(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let inner = &self.0.inner;
        let path = inner.layout.object(digest);
        let on_disk = match cached::open(&path) {
            Cached::Missing => None,
            Cached::Open(file) => Some(file.metadata().map_err(StoreError::at(&path))?.len()),
            Cached::Unknown => {
                let asked = blocking(move || {
                    let size = fs::metadata(&path).map(|about| about.len());
                    found(size).map_err(StoreError::at(&path))
                });
                asked.await?
            }
        };
        let held = || inner.held.get(digest).map(|bytes| bytes.len() as u64);
        Ok(on_disk.or_else(held))
    }

    /// A new, empty file for the object on its way in. What an earlier one left is removed; who
    /// still reads that one goes on. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while another partial of this digest lives, [`StoreError::NoSpace`] on
    /// a full file system, [`StoreError::Io`] otherwise.
    pub fn begin(&self, digest: &Digest) -> Result<Partial, StoreError> {
        Partial::begin(self.0.inner.clone(), digest)
    }

    /// A new, empty file for bytes whose digest is not known yet, or is not worth resuming. There
    /// may be many. Blocking.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] on a full file system, [`StoreError::Io`] otherwise.
    pub fn scratch(&self) -> Result<Partial, StoreError> {
        Partial::scratch(self.0.inner.clone())
    }

    /// Whether [`BlobStore::resume`] may find something. It asks no disk.
    pub fn may_resume(&self, digest: &Digest) -> bool {
        self.0.inner.space.books().has_leftover(digest)
    }

    /// What [`Partial::keep`] or a dead process left of the object, if it has a mark. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while another partial of this digest lives, [`StoreError::Io`] if the
    /// files are there and cannot be used.
    pub fn resume(&self, digest: &Digest) -> Result<Option<Leftover>, StoreError> {
        Leftover::open(self.0.inner.clone(), digest)
    }

    /// Removes what transfers that broke have left, and nothing was written to for longer than
    /// [`StoreOptions::leftovers`] at the time `now`. Partials that live are left alone, however
    /// long they wait for bytes. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Io`] for the first file that cannot be removed; others may be left then.
    pub fn sweep(&self, now: SystemTime) -> Result<(), StoreError> {
        let inner = &self.0.inner;
        leftovers::sweep_unclaimed(inner, inner.leftovers, now)?;
        inner.expire(now)
    }

    /// What it holds, and what that takes of the disk. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the file system does not say.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        self.0.inner.usage()
    }

    /// Writes down what the index is to know, for a process that is about to end while others have
    /// clones: the next start need not look at every object. The store can be used afterwards. Blocking.
    pub fn close(&self) {
        self.0.inner.close();
    }

    /// Removes the object; false if it was not stored. Who holds it goes on reading. After a
    /// power cut it may be back.
    ///
    /// # Errors
    /// [`StoreError::Io`] if its file cannot be removed.
    pub async fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        let (inner, digest) = (self.0.inner.clone(), digest.clone());
        blocking(move || inner.remove(&digest)).await
    }
}

impl fmt::Debug for BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.0.inner.layout.root();
        f.debug_tuple("BlobStore").field(&root).finish()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.keeper.take());
        self.inner.close();
    }
}

impl Inner {
    fn claim(&self, digest: &Digest) -> Result<Claim, StoreError> {
        let claim = self.claims.take(digest);
        claim.ok_or_else(|| StoreError::Busy {
            digest: digest.clone(),
        })
    }

    fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// The object, or that there is none; none if that is not known without waiting.
    fn load_at_once(&self, digest: &Digest) -> Option<Option<Object>> {
        let reading = self.space.readers.enter(digest);
        if let Some(hot) = self.hot.get(digest) {
            self.space.note_use(digest);
            let path = self.layout.object(digest);
            return Some(Some(Object::in_file(ObjectFile::new(hot, reading, path))));
        }
        let (path, opened) = (self.layout.object(digest), self.hot.opening());
        let file = match cached::open(&path) {
            Cached::Open(file) => file,
            Cached::Missing => return Some(None),
            Cached::Unknown => return None,
        };
        let size = file.metadata().ok()?.len();
        self.space.note_use(digest);
        let file = self.hot.hold(digest, file, size, opened);
        Some(Some(Object::in_file(ObjectFile::new(file, reading, path))))
    }

    fn load(&self, digest: &Digest) -> Result<Option<Object>, StoreError> {
        let path = self.layout.object(digest);
        let reading = self.space.readers.enter(digest);
        let opened = self.hot.opening();
        let Some(file) = found(File::open(&path)).map_err(StoreError::at(&path))? else {
            return Ok(None);
        };
        self.space.note_use(digest);
        let size = file.metadata().map_err(StoreError::at(&path))?.len();
        let file = self.hot.hold(digest, file, size, opened);
        Ok(Some(Object::in_file(ObjectFile::new(file, reading, path))))
    }
}

/// A file that is not there is an answer, no error.
pub(crate) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Runs what blocks on tokio's pool for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(StoreError::Stopped))
}
