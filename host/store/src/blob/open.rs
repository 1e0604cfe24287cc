//! Opening a store: whose it is, which format it has, and whether it can be written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::SystemTime;

use super::layout::{Layout, OWN_NAMES};
use super::{OpenError, StoreOptions, leftovers};
use crate::directory;
use crate::evict::{Bounds, Space};

/// The version of the layout that this code writes and reads.
const FORMAT: u32 = 2;

/// The file of the version is a number and a line feed; more than this is something else.
const MAX_FORMAT_FILE: u64 = 16;

/// One block of the usual file systems: less may fit where nothing else does, for example into
/// an inode.
const PROBE: [u8; 4096] = [0; 4096];

/// What a store is opened to.
pub(super) struct Opened {
    /// The store is this process's until it is dropped or the process ends, however that happens.
    pub(super) lock: File,
    pub(super) space: Space,
}

/// Makes the store ready.
pub(super) fn open(layout: &Layout, options: &StoreOptions) -> Result<Opened, OpenError> {
    refuse_foreign(layout)?;
    make(layout, layout.root())?;
    let lock = take_lock(layout)?;
    let found = check_format(layout)?;
    make(layout, &layout.blobs())?;
    make(layout, &layout.partial())?;
    // Before the probe: it makes room on a full file system.
    let left = leftovers::sweep(layout, options.leftovers, SystemTime::now())?;
    probe(layout)?;
    let space = open_space(layout, options.bounds)?;
    left.into_iter().for_each(|(digest, left)| {
        // Those that are too many go with the next sweep.
        space.books().leave_behind(&digest, left);
    });
    look_at_shards(layout, &space)?;
    if found.is_some_and(|found| found < FORMAT) {
        // Last: a process that ends before finds the older format, and begins again.
        write_format(layout).map_err(OpenError::at(&layout.format()))?;
    }
    Ok(Opened { lock, space })
}

fn open_space(layout: &Layout, bounds: Bounds) -> Result<Space, OpenError> {
    let root = layout.root();
    let about = rustix::fs::statvfs(root).map_err(|error| OpenError::at(root)(error.into()))?;
    let total = about.f_blocks.saturating_mul(about.f_frsize);
    let (limits, path) = (bounds.limits(total), layout.index());
    Ok(Space::open(&path, limits, bounds.max_age)?)
}

/// What the directories of objects take. They are 256 an algorithm at most.
fn look_at_shards(layout: &Layout, space: &Space) -> Result<(), OpenError> {
    let blobs = layout.blobs();
    for algorithm in fs::read_dir(&blobs).map_err(OpenError::at(&blobs))? {
        let algorithm = algorithm.map_err(OpenError::at(&blobs))?.path();
        for shard in fs::read_dir(&algorithm).map_err(OpenError::at(&algorithm))? {
            space.look(&shard.map_err(OpenError::at(&algorithm))?.path());
        }
    }
    Ok(())
}

fn make(layout: &Layout, path: &Path) -> Result<(), OpenError> {
    layout.make(path).map_err(OpenError::at(path))
}

/// A wrong path must not cost anybody files: what is foreign in `partial/` will be removed, and
/// other programs have directories of that name. So a directory is taken only if it is empty or says that it is a store.
fn refuse_foreign(layout: &Layout) -> Result<(), OpenError> {
    let root = layout.root();
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(OpenError::at(root))?,
    };
    let mut foreign = None;
    for entry in entries {
        let name = entry.map_err(OpenError::at(root))?.file_name();
        if !OWN_NAMES.iter().any(|own| name == *own) {
            foreign = Some(name);
        }
    }
    // After the names: a store that another process is making has its format before the rest.
    let is_store = exists(&layout.format())?;
    match foreign {
        Some(name) if !is_store => Err(OpenError::Foreign {
            path: root.to_owned(),
            found: name.to_string_lossy().into_owned(),
        }),
        _ => Ok(()),
    }
}

fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(OpenError::at(path))
}

/// The kernel drops the lock with the process, so a killed one is no obstacle.
fn take_lock(layout: &Layout) -> Result<File, OpenError> {
    let path = layout.lock();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(OpenError::at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: layout.root().to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(OpenError::at(&path)(error)),
    }
}

/// The format that is there; none if it is made now.
fn check_format(layout: &Layout) -> Result<Option<u32>, OpenError> {
    let path = layout.format();
    if !exists(&path)? {
        write_format(layout).map_err(OpenError::at(&path))?;
        return Ok(None);
    }
    let size = fs::metadata(&path).map_err(OpenError::at(&path))?.len();
    let text = if size <= MAX_FORMAT_FILE {
        fs::read(&path).map_err(OpenError::at(&path))?
    } else {
        Vec::new()
    };
    match parse_format(&text) {
        None => Err(OpenError::NoFormat { path }),
        Some(found) if found > FORMAT => Err(OpenError::Newer {
            path: layout.root().to_owned(),
            found,
            known: FORMAT,
        }),
        found => Ok(found),
    }
}

/// Digits and a line feed, from 1 on.
fn parse_format(text: &[u8]) -> Option<u32> {
    let digits = text.strip_suffix(b"\n")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let version = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (version > 0).then_some(version)
}

fn write_format(layout: &Layout) -> io::Result<()> {
    let new = layout.root().join("format.new");
    write_durably(&new, format!("{FORMAT}\n").as_bytes())?;
    fs::rename(&new, layout.format())?;
    directory::sync(layout.root())
}

/// Takes the way of a commit once, so that a store that cannot be written is an error at the
/// start and not of the first client.
fn probe(layout: &Layout) -> Result<(), OpenError> {
    let (from, to) = (layout.partial().join("probe"), layout.blobs().join("probe"));
    write_durably(&from, &PROBE)
        .and_then(|()| fs::rename(&from, &to))
        .and_then(|()| fs::remove_file(&to))
        .and_then(|()| directory::sync(&layout.blobs()))
        .map_err(OpenError::at(&layout.partial()))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let table: [(&[u8], Option<u32>); 10] = [
            (b"1\n", Some(1)),
            (b"2\n", Some(2)),
            (b"4294967295\n", Some(u32::MAX)),
            (b"4294967296\n", None),
            (b"0\n", None),
            (b"+1\n", None),
            (b"1", None),
            (b"\n", None),
            (b"1\r\n", None),
            (b"\xff\n", None),
        ];
        for (text, version) in table {
            assert_eq!(parse_format(text), version, "{text:?}");
        }
    }
}
