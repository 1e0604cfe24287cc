//! Files: bounded, and read anew only when they changed.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;

/// Why a file cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FileFault {
    /// The system says no.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// A folder, a pipe or a device. Reading a pipe may wait for ever.
    #[error("it is not a regular file")]
    NotFile,
    /// Nobody's credentials are that long.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// The bound.
        limit: u64,
    },
}

impl FileFault {
    /// There is no such file.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<io::Error> for FileFault {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// Which content a path had.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    /// No file is concerned, so that nothing tells of a change.
    None,
    /// There was no file, and that is an answer.
    Absent,
    /// There was this one.
    Of(Stamp),
}

/// What changes with a file's content. A writer may keep size and time of modification; the time of
/// change is the kernel's own. Two changes within one tick of its clock look alike: the second is found when
/// an origin refuses the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self::Of(Stamp {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Whether a later look saw the same.
    pub(crate) fn is_still(self, later: Self) -> bool {
        match (self, later) {
            (Self::Absent, Self::Absent) => true,
            (Self::Of(one), Self::Of(two)) => one == two,
            _ => false,
        }
    }
}

/// What was read.
pub(crate) struct Content {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) version: Version,
    /// Permission bits that others than the owner have.
    pub(crate) open_to: u32,
}

/// Which content the path has now.
pub(crate) fn look(path: &Path) -> Result<Version, FileFault> {
    regular(std::fs::metadata(path)?).map(|metadata| Version::of(&metadata))
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Content, FileFault> {
    // Before it is opened: opening a pipe waits for its writer.
    regular(std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    // Of the open file, and before it is read: what is written meanwhile counts as a change.
    let metadata = regular(file.metadata()?)?;
    if metadata.size() > limit {
        return Err(FileFault::TooLong { limit });
    }
    // Room for one byte more, so that it neither grows, which would leave a copy behind, nor ends unseen.
    let room = usize::try_from(limit.min(metadata.size()) + 1).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(FileFault::TooLong { limit });
    }
    Ok(Content {
        bytes,
        version: Version::of(&metadata),
        open_to: metadata.mode() & 0o077,
    })
}

fn regular(metadata: Metadata) -> Result<Metadata, FileFault> {
    if metadata.is_file() {
        Ok(metadata)
    } else {
        Err(FileFault::NotFile)
    }
}
