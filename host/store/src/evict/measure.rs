//! What the file system says of the store.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::books::Measured;
use crate::blob::{Inner, StoreError};

/// The unit of `st_blocks` (POSIX's `<sys/stat.h>` leaves it open; Linux, the BSDs and `du` count so).
const BLOCK: u64 = 512;

/// What file systems hand out at least.
const PAGE: u64 = 4096;

/// What a file without holes takes of the disk. Where that is told late, or compression makes it less, it is
/// as much as its length.
pub(crate) fn disk_of(about: &Metadata) -> u64 {
    let length = about.len().checked_next_multiple_of(PAGE);
    taken(about).max(length.unwrap_or(u64::MAX))
}

/// How much records and index may grow before somebody asks for room again, 512 KiB: what some thousand
/// records and entries take. Everything else is asked for before.
const GROWTH: u64 = 512 * 1024;

/// What `du` counts.
pub(crate) fn taken(about: &Metadata) -> u64 {
    about.blocks().saturating_mul(BLOCK)
}

/// What the directories of objects take. They grow with their names, so each is looked at when
/// one comes in, and not all of them every time.
#[derive(Debug, Default)]
pub(super) struct Shards(Mutex<Sizes>);

#[derive(Debug, Default)]
struct Sizes {
    each: HashMap<PathBuf, u64>,
    sum: u64,
}

impl Shards {
    /// Looks at one.
    pub(super) fn look(&self, shard: &Path) {
        let Ok(about) = fs::symlink_metadata(shard) else {
            return;
        };
        let mut sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sizes.each.insert(shard.to_owned(), taken(&about));
        sizes.sum = sizes.sum + taken(&about) - before.unwrap_or(0);
    }

    fn sum(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sum
    }
}

impl Inner {
    /// Asks the file system. Some twenty calls that touch no disk.
    pub(crate) fn measure(&self) -> Result<Measured, StoreError> {
        let root = self.layout.root();
        let about =
            rustix::fs::statvfs(root).map_err(|error| StoreError::at(root)(error.into()))?;
        let files = own_files(&[root, &self.layout.blobs()]).map_err(StoreError::at(root))?;
        Ok(Measured {
            free: about.f_bavail.saturating_mul(about.f_frsize),
            files: files + self.space.shards.sum() + self.quarantine.taken(),
            held: self.space.readers.held(),
            growth: GROWTH,
        })
    }
}

/// The directories, and what lies in them, without what lies in those.
fn own_files(directories: &[&Path]) -> io::Result<u64> {
    let mut sum = 0;
    let mut count = |about: io::Result<Metadata>| match about {
        Ok(about) => {
            sum += taken(&about);
            Ok(())
        }
        // Gone since it was listed.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    // The first is the root, in which the others are listed.
    for (index, directory) in directories.iter().enumerate() {
        if index == 0 {
            count(fs::symlink_metadata(directory))?;
        }
        for entry in fs::read_dir(directory)? {
            count(entry?.metadata())?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_take_whole_pages() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        for (length, least) in [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)] {
            fs::write(&path, vec![7; length]).expect("written");
            let about = fs::metadata(&path).expect("there");
            assert!(disk_of(&about) >= least, "{length}");
        }
    }

    #[test]
    fn directories_count_themselves_and_what_is_in_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).expect("made");
        let before = own_files(&[dir.path(), &inner]).expect("counted");
        fs::write(inner.join("a"), vec![7; 20_000]).expect("written");
        fs::write(dir.path().join("b"), vec![7; 10_000]).expect("written");
        let after = own_files(&[dir.path(), &inner]).expect("counted");
        assert_eq!(after - before, 20_480 + 12_288);
        let shards = Shards::default();
        shards.look(&inner);
        shards.look(&inner);
        shards.look(&dir.path().join("none"));
        let about = fs::metadata(&inner).expect("there");
        assert_eq!(shards.sum(), taken(&about));
    }
}
