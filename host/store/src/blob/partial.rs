//! An object on its way in.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledge_core::digest::Digest;

use super::claims::Claim;
use super::marks::Marks;
use super::object::ObjectFile;
use super::{Inner, Object, OpenFile, StoreError, found};
use crate::directory;
use crate::evict::{Account, Keeping, disk_of};

/// A file that nobody finds by digest yet. Dropping it removes it, unless it was committed or kept.
///
/// One of a digest is the only one of that digest in this process. One of
/// [`BlobStore::scratch`](super::BlobStore::scratch) is of no digest: it has no marks, and is not
/// kept.
///
/// Everything here blocks: use it from a thread that may.
pub struct Partial {
    /// Also keeps the store's lock until the last partial is gone.
    store: Arc<Inner>,
    path: PathBuf,
    file: Arc<OpenFile>,
    /// What it takes, and may still take.
    account: Account,
    /// None for a scratch file.
    named: Option<Named>,
    keep: bool,
}

/// What a partial of a digest has beside its file.
struct Named {
    digest: Digest,
    marks: Marks,
    /// Dropped after the files are gone.
    _claim: Claim,
}

impl Partial {
    pub(super) fn begin(store: Arc<Inner>, digest: &Digest) -> Result<Self, StoreError> {
        let claim = store.claim(digest)?;
        let (path, marks) = (store.layout.incoming(digest), store.layout.marks(digest));
        for old in [&marks, &path] {
            found(fs::remove_file(old)).map_err(StoreError::at(old))?;
        }
        store.space.books().take_up(digest);
        let file = create(&path).map_err(StoreError::at(&path))?;
        let marks = Marks::none(marks, digest.algorithm());
        Ok(Self::named(store, path, file, marks, claim))
    }

    /// Of files that are there.
    pub(super) fn named(
        store: Arc<Inner>,
        path: PathBuf,
        file: File,
        marks: Marks,
        claim: Claim,
    ) -> Self {
        let digest = claim.digest().clone();
        let account = Account::of_leftover(&store, &digest, &file, marks.disk());
        let reading = store.space.readers.enter(&digest);
        let named = Named {
            digest,
            marks,
            _claim: claim,
        };
        Self {
            store,
            path,
            file: Arc::new(OpenFile::new(file, Some(reading))),
            account,
            named: Some(named),
            keep: false,
        }
    }

    pub(super) fn scratch(store: Arc<Inner>) -> Result<Self, StoreError> {
        // Unique, since the lock keeps other processes out and the start removed the last one's.
        let path = store.layout.scratch(store.next_number());
        let file = create(&path).map_err(StoreError::at(&path))?;
        Ok(Self {
            store,
            path,
            file: Arc::new(OpenFile::new(file, None)),
            account: Account::default(),
            named: None,
            keep: false,
        })
    }

    /// Makes sure that there is room for `more` bytes, and keeps it until they are written: others are
    /// evicted for it. What was not reserved is asked for when it is written.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`] if that much cannot be had, [`StoreError::Io`] if the file system does
    /// not say.
    pub fn reserve(&self, more: u64) -> Result<(), StoreError> {
        self.account.reserve(&self.store, more)
    }

    /// As [`Self::reserve`], if there is room and nobody has to go for it; false if somebody has. It asks
    /// the file system, and waits for no disk.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the file system does not say.
    pub fn reserve_free(&self, more: u64) -> Result<bool, StoreError> {
        self.account.reserve_free(&self.store, more)
    }

    /// The file, for followers that read what is there so far.
    pub fn file(&self) -> &Arc<OpenFile> {
        &self.file
    }

    /// Where the file lies, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all of `bytes` at byte `at`, behind the end as well: what lies between is a hole of
    /// zeros. Several threads may write. After an error some of the bytes may be written.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] on a full file system, [`StoreError::NoRoom`] if the store's bounds are
    /// reached, [`StoreError::Io`] otherwise.
    pub fn write_at(&self, bytes: &[u8], at: u64) -> Result<(), StoreError> {
        let length = bytes.len() as u64;
        self.account.allow(&self.store, length)?;
        let written = self.file.write_all_at(bytes, at);
        self.account.wrote(&self.store, &self.file, length);
        written.map_err(StoreError::at(&self.path))
    }

    /// Fills `buffer` from byte `at` on.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot, also because the file ends before.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), StoreError> {
        let read = self.file.read_exact_at(buffer, at);
        read.map_err(StoreError::at(&self.path))
    }

    /// Notes that the first `offset` bytes are written and hash to `hash`: lowercase hexadecimal
    /// digits, by the algorithm of the object's digest. A mark costs a write of less than 200 bytes.
    ///
    /// One that is not behind the last one says nothing new and is passed over. So are those that
    /// would make the marks' file larger than 1 MiB: some 12,000 fit (SHA-256), or 7,000 (SHA-512).
    ///
    /// # Errors
    /// [`StoreError::NoMark`] if `hash` is no such hash, or the file a scratch file;
    /// [`StoreError::NoSpace`] on a full file system, [`StoreError::Io`] otherwise. The marks
    /// before it stay.
    pub fn mark(&mut self, offset: u64, hash: &str) -> Result<(), StoreError> {
        match &mut self.named {
            Some(named) => {
                let added = named.marks.add(offset, hash);
                self.account.mark(&self.store, named.marks.disk());
                added
            }
            None => Err(StoreError::NoMark { offset }),
        }
    }

    /// Drops the bytes from `length` on, and their marks. A file that is shorter stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Io`]; bytes or marks may be gone then.
    pub fn truncate(&mut self, length: u64) -> Result<(), StoreError> {
        if let Some(named) = &mut self.named {
            named.marks.cut(length)?;
        }
        let done = cut(&self.file, length);
        self.account.cut(&self.store, &self.file);
        done.map_err(StoreError::at(&self.path))
    }

    /// Closes it and leaves what is written to the next one of its digest, in this process or
    /// after a restart: [`BlobStore::resume`](super::BlobStore::resume) gives it back. Without a
    /// mark nothing could be resumed, and the file is removed.
    pub fn keep(mut self) {
        self.keep = true;
    }

    /// Makes its first `size` bytes the object `digest`: when this returns, it is there after a
    /// power cut too. The caller has written all of them and verified that they have this digest.
    /// If the object is there already, these bytes take the place of those, which are the same; of both
    /// ways to keep it the stronger one stays.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] on a full file system, [`StoreError::Io`] otherwise. After an error
    /// the object may be there or not; if it is, it is whole.
    pub fn commit(
        self,
        digest: &Digest,
        size: u64,
        keeping: Keeping,
    ) -> Result<Object, StoreError> {
        let layout = &self.store.layout;
        let (shard, path) = (layout.shard(digest), layout.object(digest));
        // A transfer that brought more than it should, or a write that failed half-way, may have
        // left bytes behind the end.
        let about = self
            .file
            .set_len(size)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| self.file.metadata())
            .map_err(StoreError::at(&self.path))?;
        layout.make(&shard).map_err(StoreError::at(&shard))?;
        self.store
            .rename(&self.path, digest, disk_of(&about), &self.account, keeping)
            .and_then(|()| directory::sync(&shard))
            .map_err(StoreError::at(&path))?;
        self.store.space.look(&shard);
        self.store.settle(keeping);
        let file = ObjectFile {
            file: self.file.clone(),
            size,
            // Who asks for it next has it mapped.
            mapped: None,
            path: path.into(),
        };
        Ok(Object::in_file(file))
    }

    fn is_resumable(&self) -> bool {
        let marks = self.named.as_ref().map(|named| &named.marks);
        marks.is_some_and(|marks| !marks.is_empty())
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).open(path)
}

fn cut(file: &File, length: u64) -> io::Result<()> {
    if file.metadata()?.len() > length {
        file.set_len(length)?;
    }
    Ok(())
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let keep = self.keep && self.is_resumable();
        match &mut self.named {
            Some(named) if keep => self.store.leave_behind(&named.digest, self.account.disk()),
            Some(named) => {
                if fs::remove_file(&self.path).is_ok() {
                    // Followers may still read it.
                    let disk = self.account.disk();
                    self.store.space.readers.unlinked(&named.digest, disk);
                }
                named.marks.remove();
            }
            None => {
                // After a commit the name is gone. What cannot be removed, the next start removes.
                let _ = fs::remove_file(&self.path);
            }
        }
        // Last: for a moment it may count twice, and never not at all.
        self.account.close(&self.store);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{BlobStore, StoreOptions};
    use super::*;
    use crate::evict::Bounds;

    fn store(dir: &Path) -> BlobStore {
        let options = StoreOptions {
            path: dir.to_owned(),
            memory: 0,
            leftovers: Duration::ZERO,
            bounds: Bounds::NONE,
        };
        BlobStore::open(&options).expect("a store")
    }

    #[test]
    fn full_disk_is_typed_and_costs_nothing_that_was_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let digest = Digest::from_sha256(&[1; 32]);
        let mut partial = store(dir.path()).begin(&digest).expect("a partial");
        partial.write_at(b"abc", 0).expect("written");
        let full = OpenOptions::new().write(true).open("/dev/full");
        let real = std::mem::replace(
            &mut partial.file,
            Arc::new(OpenFile::new(full.expect("Linux has it"), None)),
        );
        let error = partial.write_at(b"def", 3).expect_err("no space");
        assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
        partial.file = real;
        partial.write_at(b"def", 3).expect("written");
        assert_eq!(fs::read(partial.path()).expect("there"), b"abcdef");
    }

    #[tokio::test]
    async fn bytes_behind_the_end_are_not_committed() {
        let dir = tempfile::tempdir().expect("a directory");
        let digest = Digest::from_sha256(&[0x11; 32]);
        let partial = store(dir.path()).begin(&digest).expect("a partial");
        partial.write_at(b"abc", 0).expect("written");
        let written = partial.file.write_all_at(b"half of the next", 3);
        written.expect("written");
        let object = partial
            .commit(&digest, 3, Keeping::default())
            .expect("committed");
        assert_eq!(object.bytes(100).await.expect("read"), "abc");
        let path = dir.path().join("blobs/sha256/11").join(digest.hex());
        assert_eq!(fs::read(path).expect("there"), b"abc");
    }
}
