//! What an operator's commands ask of the store: what is there, without a use being noted, and what is wrong.
//! Everything here blocks.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use ledge_core::digest::Digest;

use super::quarantine::{Fate, Quarantined};
use super::{BlobStore, OpenFile, StoreError, Stranger, found, leftovers};
use crate::evict::{About, Limits, Mended, Page, Room, disk_of};
use std::time::Duration;

/// An object that was opened without being used. It stays while it is held: eviction passes it by.
#[derive(Debug)]
pub struct Stored {
    digest: Digest,
    file: Arc<OpenFile>,
    size: u64,
    disk: u64,
    /// Which file it is: device and number.
    identity: (u64, u64),
}

impl Stored {
    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Which object it is to be.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Reads from byte `at` on as much as `buffer` takes; how many bytes were there.
    ///
    /// # Errors
    /// The operating system's.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match self.file.read_at(buffer, at) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    pub(super) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    pub(super) fn disk(&self) -> u64 {
        self.disk
    }
}

impl BlobStore {
    /// Opens an object to look at it; none if it is not on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it is there, and no file that can be opened.
    pub fn look(&self, digest: &Digest) -> Result<Option<Stored>, StoreError> {
        let inner = &self.0.inner;
        let path = inner.layout.object(digest);
        let reading = inner.space.readers.enter(digest);
        let Some(file) = found(File::open(&path)).map_err(StoreError::at(&path))? else {
            return Ok(None);
        };
        let about = file.metadata().map_err(StoreError::at(&path))?;
        Ok(Some(Stored {
            digest: digest.clone(),
            file: Arc::new(OpenFile::new(file, Some(reading))),
            size: about.len(),
            disk: disk_of(&about),
            identity: (about.dev(), about.ino()),
        }))
    }

    /// The object's size in bytes, if it is on the disk. It counts as no use.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the file system does not say.
    pub fn size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let path = self.0.inner.layout.object(digest);
        let about = found(fs::symlink_metadata(&path)).map_err(StoreError::at(&path))?;
        Ok(about.filter(fs::Metadata::is_file).map(|about| about.len()))
    }

    /// What the index knows of an object.
    #[must_use]
    pub fn about(&self, digest: &Digest) -> Option<About> {
        self.0.inner.about(digest)
    }

    /// At most `limit` objects of the index behind `after`, which a page before said.
    #[must_use]
    pub fn page(&self, after: Option<&str>, limit: usize) -> Page {
        self.0.inner.page(after, limit)
    }

    /// Makes sure that the index was made to agree with the directories after a process that did not end
    /// well: what is wrong then is no such process's doing.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn recover(&self) -> Result<(), StoreError> {
        self.0.inner.recover()
    }

    /// Makes the index agree with the directories of the objects whose digests have this first byte, and
    /// says what it found.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn mend(&self, byte: u8) -> Result<Mended, StoreError> {
        self.0.inner.walk(byte)
    }

    /// Corrects what the index says that an object takes; false if that was right.
    #[must_use]
    pub fn correct(&self, stored: &Stored) -> bool {
        self.0.inner.resize(&stored.digest, stored.disk)
    }

    /// Takes an object away whose bytes are wrong, unless another was put into its place since it was
    /// opened. Who is being sent it reads on.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn quarantine(&self, stored: &Stored, keep: bool) -> Result<Fate, StoreError> {
        self.0.inner.quarantine(stored, keep)
    }

    /// Takes away a file that is no object of the store, or one whose name cannot be opened.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn expel(&self, stranger: &Stranger, keep: bool) -> Result<Fate, StoreError> {
        self.0.inner.expel(stranger, keep)
    }

    /// What was taken away and kept.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        self.0.inner.quarantined()
    }

    /// Deletes what was taken away and kept. How many bytes of the disk that took.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn empty_quarantine(&self) -> Result<u64, StoreError> {
        self.0.inner.empty_quarantine()
    }

    /// Removes an object, if the index still says of it what is right. True if it was there.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn remove_if(
        &self,
        digest: &Digest,
        is_right: impl Fn(&About) -> bool,
    ) -> Result<bool, StoreError> {
        self.0.inner.remove_if(digest, is_right)
    }

    /// Removes every unfinished object that nobody works on. How many bytes of the disk they took.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn drop_leftovers(&self, now: SystemTime) -> Result<u64, StoreError> {
        let inner = &self.0.inner;
        let before = inner.space.books().leftovers();
        // What was written to at this very moment is as old as the rest.
        leftovers::sweep_unclaimed(inner, Duration::ZERO, now + Duration::from_secs(1))?;
        Ok(before.saturating_sub(inner.space.books().leftovers()))
    }

    /// Evicts what nobody used for longer than [`Bounds::max_age`](crate::Bounds::max_age), and then until as much is free as the store keeps free
    /// ahead of need. How many objects went, and what they took.
    ///
    /// # Errors
    /// [`StoreError::Io`]
    pub fn tidy(&self, now: SystemTime) -> Result<(u64, u64), StoreError> {
        let inner = &self.0.inner;
        let evicted = || {
            let space = &inner.space;
            let counted = [&space.evicted, &space.evicted_bytes];
            counted.map(|count| count.load(Ordering::Relaxed))
        };
        let [objects, bytes] = evicted();
        inner.expire(now)?;
        inner.relieve_fully()?;
        let [more, more_bytes] = evicted();
        Ok((more - objects, more_bytes - bytes))
    }

    /// Has room promised for `bytes` that several objects will take; others are evicted for them.
    ///
    /// # Errors
    /// [`StoreError::NoRoom`], [`StoreError::Io`]
    pub fn room(&self, bytes: u64) -> Result<Room, StoreError> {
        Room::promised(self.0.inner.clone(), bytes)
    }

    /// The bounds, in bytes: what the store may take, if that is bounded, and what is kept free.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.inner.space.books().limits
    }
}
