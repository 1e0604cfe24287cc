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
use super::{Inner, Object, StoreError, found};
use crate::directory;

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
    file: Arc<File>,
    /// None for a scratch file.
    named: Option<Named>,
    keep: bool,
}

/// What a partial of a digest has beside its file.
struct Named {
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
        let named = Named {
            marks,
            _claim: claim,
        };
        Self {
            store,
            path,
            file: Arc::new(file),
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
            file: Arc::new(file),
            named: None,
            keep: false,
        })
    }

    /// The file, for followers that read what is there so far.
    pub fn file(&self) -> &Arc<File> {
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
    /// [`StoreError::NoSpace`] on a full file system, [`StoreError::Io`] otherwise.
    pub fn write_at(&self, bytes: &[u8], at: u64) -> Result<(), StoreError> {
        let written = self.file.write_all_at(bytes, at);
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
            Some(named) => named.marks.add(offset, hash),
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
        cut(&self.file, length).map_err(StoreError::at(&self.path))
    }

    /// Closes it and leaves what is written to the next one of its digest, in this process or
    /// after a restart: [`BlobStore::resume`](super::BlobStore::resume) gives it back. Without a
    /// mark nothing could be resumed, and the file is removed.
    pub fn keep(mut self) {
        self.keep = true;
    }

    /// Makes its first `size` bytes the object `digest`: when this returns, it is there after a
    /// power cut too. The caller has written all of them and verified that they have this digest.
    /// If the object is there already, these bytes take the place of those, which are the same.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] on a full file system, [`StoreError::Io`] otherwise. After an error
    /// the object may be there or not; if it is, it is whole.
    pub fn commit(self, digest: &Digest, size: u64) -> Result<Object, StoreError> {
        let layout = &self.store.layout;
        let (shard, path) = (layout.shard(digest), layout.object(digest));
        // A transfer that brought more than it should, or a write that failed half-way, may have
        // left bytes behind the end.
        self.file
            .set_len(size)
            .and_then(|()| self.file.sync_all())
            .map_err(StoreError::at(&self.path))?;
        layout.make(&shard).map_err(StoreError::at(&shard))?;
        fs::rename(&self.path, &path)
            .and_then(|()| directory::sync(&shard))
            .map_err(StoreError::at(&path))?;
        let file = ObjectFile {
            file: self.file.clone(),
            path: path.into(),
        };
        Ok(Object::in_file(file, size))
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
        if self.keep && self.is_resumable() {
            return;
        }
        // After a commit the name is gone. What cannot be removed, the next start removes.
        let _ = fs::remove_file(&self.path);
        if let Some(named) = &mut self.named {
            named.marks.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{BlobStore, StoreOptions};
    use super::*;

    fn store(dir: &Path) -> BlobStore {
        let options = StoreOptions {
            path: dir.to_owned(),
            memory: 0,
            leftovers: Duration::ZERO,
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
        let real = std::mem::replace(&mut partial.file, Arc::new(full.expect("Linux has it")));
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
        let object = partial.commit(&digest, 3).expect("committed");
        assert_eq!(object.bytes(100).await.expect("read"), "abc");
        let path = dir.path().join("blobs/sha256/11").join(digest.hex());
        assert_eq!(fs::read(path).expect("there"), b"abc");
    }
}
