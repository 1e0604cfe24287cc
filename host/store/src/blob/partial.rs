//! An object on its way in.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledge_core::digest::Digest;

use super::object::ObjectFile;
use super::{Inner, Object, StoreError};
use crate::directory;

/// How much of a hint becomes part of the file's name: a SHA-512's digits, which with the number
/// stay below the 255 bytes that Linux's file systems allow.
const MAX_HINT: usize = 128;

/// A file that nobody finds by digest yet. Dropping it removes it; so does the next start.
///
/// Everything here blocks: use it from a thread that may.
pub struct Partial {
    /// Also keeps the store's lock until the last partial is gone.
    store: Arc<Inner>,
    path: PathBuf,
    file: Arc<File>,
    length: u64,
}

impl Partial {
    /// Makes the file `hint.number`. Of the hint only letters and digits count.
    pub(super) fn create(store: Arc<Inner>, hint: &str) -> Result<Self, StoreError> {
        let hint = hint.chars().filter(char::is_ascii_alphanumeric);
        let hint: String = hint.take(MAX_HINT).collect();
        // Unique, since the lock keeps other processes out and the start removed the last one's.
        let name = format!("{hint}.{}", store.next_number());
        let path = store.layout.partial().join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(StoreError::at(&path))?;
        Ok(Self {
            store,
            path,
            file: Arc::new(file),
            length: 0,
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

    /// How many bytes were appended.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends, and says how many bytes there are now. After an error there are as many as before.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] on a full file system, [`StoreError::Io`] otherwise.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64, StoreError> {
        self.file
            .write_all_at(bytes, self.length)
            .map_err(StoreError::at(&self.path))?;
        self.length += bytes.len() as u64;
        Ok(self.length)
    }

    /// Makes it the object `digest`: when this returns, it is there after a power cut too. The
    /// caller has verified that the bytes have this digest. If the object is there already, these
    /// bytes take the place of those, which are the same.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] on a full file system, [`StoreError::Io`] otherwise. After an error
    /// the object may be there or not; if it is, it is whole.
    pub fn commit(self, digest: &Digest) -> Result<Object, StoreError> {
        let layout = &self.store.layout;
        let (shard, path) = (layout.shard(digest), layout.object(digest));
        // An append that failed half-way may have left bytes behind the end.
        self.file
            .set_len(self.length)
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
        Ok(Object::in_file(file, self.length))
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial")
            .field("path", &self.path)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After a commit the name is gone. If it cannot be removed, the next start does it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BlobStore, StoreOptions};
    use super::*;

    fn store(dir: &Path) -> BlobStore {
        let options = StoreOptions {
            path: dir.to_owned(),
            memory: 0,
        };
        BlobStore::open(&options).expect("a store")
    }

    #[test]
    fn full_disk_is_typed_and_keeps_the_length() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut partial = store(dir.path()).begin("a").expect("a partial");
        assert_eq!(partial.append(b"abc").expect("appended"), 3);
        let full = OpenOptions::new().write(true).open("/dev/full");
        let real = std::mem::replace(&mut partial.file, Arc::new(full.expect("Linux has it")));
        let error = partial.append(b"def").expect_err("no space");
        assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
        assert_eq!(partial.len(), 3);
        partial.file = real;
        assert_eq!(partial.append(b"def").expect("appended"), 6);
    }

    #[tokio::test]
    async fn bytes_behind_the_end_are_not_committed() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut partial = store(dir.path()).begin("a").expect("a partial");
        partial.append(b"abc").expect("appended");
        let written = partial.file.write_all_at(b"half of the next", 3);
        written.expect("written");
        let digest = format!("sha256:{}", "1".repeat(64));
        let digest = Digest::parse(&digest).expect("a digest");
        let object = partial.commit(&digest).expect("committed");
        assert_eq!(object.bytes(100).await.expect("read"), "abc");
        let path = dir.path().join("blobs/sha256/11").join(digest.hex());
        assert_eq!(fs::read(path).expect("there"), b"abc");
    }

    #[test]
    fn hints_cannot_leave_the_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = store(dir.path());
        let long = "f".repeat(1000);
        for hint in ["", "..", "../../x", "/etc/passwd", "a\0b", "ä/é", &long] {
            let partial = store.begin(hint).expect("a partial");
            let parent = partial.path().parent();
            assert_eq!(parent, Some(dir.path().join("partial").as_path()), "{hint}");
            assert!(partial.path().is_file(), "{hint}");
        }
    }
}
