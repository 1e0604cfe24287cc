//! Files that were found wrong: out of the way, and there for whoever wants to know what happened to them.
//!
//! They lie in `quarantine/` by the name of their digest, count in the store's size, and are few: the
//! oldest go for new ones.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use std::os::unix::fs::MetadataExt as _;

use super::tending::Stored;
use super::{Inner, StoreError, Stranger, found};
use crate::evict::taken;

/// How many files are kept: more are the same story.
const MOST_FILES: usize = 256;

/// What they take at most, 1 GiB: some large layers, to be compared with right ones.
const MOST_BYTES: u64 = 1 << 30;

/// And no more than this part of what the store may take.
const PART: u64 = 32;

/// What became of a file that was found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It lies in `quarantine/`.
    Kept,
    /// It is gone.
    Deleted,
    /// Another file is in its place already, or it is gone.
    Replaced,
    /// It is a directory, and was left to the operator.
    Left,
}

/// A file in `quarantine/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its name: the digest that it was found under, with a dash for the colon.
    pub name: String,
    /// What it takes of the disk, in bytes.
    pub disk: u64,
    /// When it was last written to.
    pub modified: SystemTime,
}

/// What the files take, and who changes them.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(Mutex<u64>);

impl Quarantine {
    /// Looks at what an earlier process left.
    pub(super) fn open(directory: &Path) -> Result<Self, StoreError> {
        let files = list(directory)?;
        Ok(Self(Mutex::new(files.iter().map(|file| file.disk).sum())))
    }

    /// What they take.
    pub(crate) fn taken(&self) -> u64 {
        *self.lock()
    }

    /// The sum is right after every statement, so a panic elsewhere is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(super) fn quarantine(&self, stored: &Stored, keep: bool) -> Result<Fate, StoreError> {
        let digest = stored.digest();
        self.reopen();
        let _name = self.space.name(digest);
        let path = self.layout.object(digest);
        let about = found(fs::symlink_metadata(&path)).map_err(StoreError::at(&path))?;
        let is_it = |about: &Metadata| (about.dev(), about.ino()) == stored.identity();
        if !about.as_ref().is_some_and(is_it) {
            return Ok(Fate::Replaced);
        }
        let name = format!("{}-{}", digest.algorithm(), digest.hex());
        let fate = match keep && self.make_way(stored.disk())? {
            true => self.carry(&path, &name, stored.disk())?,
            false => Fate::Deleted,
        };
        // Also forgets it, in the index and in memory.
        self.take_away(digest)?;
        Ok(fate)
    }

    pub(super) fn expel(&self, stranger: &Stranger, keep: bool) -> Result<Fate, StoreError> {
        let path = stranger.path();
        let about = found(fs::symlink_metadata(path)).map_err(StoreError::at(path))?;
        let Some(about) = about else {
            return Ok(Fate::Replaced);
        };
        if about.is_dir() {
            return Ok(Fate::Left);
        }
        if keep && self.make_way(taken(&about))? {
            let name = format!("stranger.{}", self.next_number());
            return self.carry(path, &name, taken(&about));
        }
        fs::remove_file(path).map_err(StoreError::at(path))?;
        Ok(Fate::Deleted)
    }

    /// Moves a file in.
    fn carry(&self, path: &Path, name: &str, disk: u64) -> Result<Fate, StoreError> {
        let directory = self.layout.quarantine();
        self.layout
            .make(&directory)
            .map_err(StoreError::at(&directory))?;
        let target = directory.join(name);
        let mut sum = self.quarantine.lock();
        let replaced = fs::symlink_metadata(&target).map_or(0, |about| taken(&about));
        fs::rename(path, &target).map_err(StoreError::at(&target))?;
        *sum = (*sum + disk).saturating_sub(replaced);
        Ok(Fate::Kept)
    }

    /// Removes the oldest until so much more is not too much. False if it is by itself.
    fn make_way(&self, disk: u64) -> Result<bool, StoreError> {
        let measured = self.measure()?;
        let capacity = {
            let mut books = self.space.books();
            books.look(&measured);
            books.capacity()
        };
        let most = MOST_BYTES.min(capacity / PART);
        if disk > most {
            return Ok(false);
        }
        let directory = self.layout.quarantine();
        let mut files = list(&directory)?;
        files.sort_unstable_by_key(|file| file.modified);
        let mut sum: u64 = files.iter().map(|file| file.disk).sum();
        let mut count = files.len();
        for file in files {
            if sum + disk <= most && count < MOST_FILES {
                break;
            }
            self.delete(&directory.join(&file.name), file.disk)?;
            (sum, count) = (sum - file.disk, count - 1);
        }
        Ok(true)
    }

    fn delete(&self, path: &Path, disk: u64) -> Result<(), StoreError> {
        let mut sum = self.quarantine.lock();
        found(fs::remove_file(path)).map_err(StoreError::at(path))?;
        *sum = sum.saturating_sub(disk);
        Ok(())
    }

    pub(super) fn quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        list(&self.layout.quarantine())
    }

    pub(super) fn empty_quarantine(&self) -> Result<u64, StoreError> {
        let directory: PathBuf = self.layout.quarantine();
        let mut deleted = 0;
        for file in list(&directory)? {
            self.delete(&directory.join(&file.name), file.disk)?;
            deleted += file.disk;
        }
        Ok(deleted)
    }
}

/// The files, in the order of their names; what is none is passed over.
fn list(directory: &Path) -> Result<Vec<Quarantined>, StoreError> {
    let entries = found(fs::read_dir(directory)).map_err(StoreError::at(directory))?;
    let mut files = Vec::new();
    for entry in entries.into_iter().flatten() {
        let about = entry.and_then(|entry| described(&entry));
        files.extend(about.map_err(StoreError::at(directory))?);
    }
    files.sort_unstable_by(|left: &Quarantined, right| left.name.cmp(&right.name));
    Ok(files)
}

fn described(entry: &fs::DirEntry) -> io::Result<Option<Quarantined>> {
    let Some(about) = found(entry.metadata())? else {
        return Ok(None);
    };
    let name = entry.file_name().into_string().ok();
    Ok(name.filter(|_| !about.is_dir()).map(|name| Quarantined {
        name,
        disk: taken(&about),
        modified: about.modified().unwrap_or(SystemTime::UNIX_EPOCH),
    }))
}
