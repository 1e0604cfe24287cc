//! What can go wrong with the store: when it is opened, and later.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use ledge_core::digest::Digest;

use crate::kv::OpenKvError;

/// Why a store cannot be opened. Each text names the path and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the lock.
    #[error("the store {} is in use by another process; stop that one, or give this one a directory of its own", path.display())]
    InUse {
        /// The store.
        path: PathBuf,
    },
    /// A newer version of Ledge wrote it.
    #[error("the store {} has format {found}, and this version of ledge knows no format above {known}; run the newer version, or name another directory", path.display())]
    Newer {
        /// The store.
        path: PathBuf,
        /// The version it has.
        found: u32,
        /// The newest version that can be opened.
        known: u32,
    },
    /// The file that holds the version holds something else.
    #[error("{} does not say which format the store has; name another directory, or empty this one", path.display())]
    NoFormat {
        /// The file.
        path: PathBuf,
    },
    /// The directory is somebody else's.
    #[error("{} is no store of ledge and not empty (there is {found:?}); name a new or an empty directory", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// A name found in it.
        found: String,
    },
    /// The path leads through something that is no directory.
    #[error("{} is not a directory, or something above it is not; name another directory", path.display())]
    NotADirectory {
        /// What was to be used.
        path: PathBuf,
    },
    /// ENOSPC or EDQUOT.
    #[error("no space is left for {}; free some, or put the store on another file system", path.display())]
    NoSpace {
        /// What was to be written.
        path: PathBuf,
    },
    /// EROFS.
    #[error("{} is on a read-only file system; mount it for writing, or put the store on another one", path.display())]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
    },
    /// EACCES or EPERM.
    #[error("this process may not write {}; let its user own the store, or name a directory that it owns", path.display())]
    Denied {
        /// What was to be written.
        path: PathBuf,
    },
    /// The index of the objects cannot be used.
    #[error(transparent)]
    Index(#[from] OpenKvError),
    /// What was quarantined cannot be looked at.
    #[error(transparent)]
    Quarantine(#[from] StoreError),
    /// The thread that keeps the store in order cannot be started.
    #[error("cannot start the thread that keeps the store in order: {0}")]
    Thread(#[source] io::Error),
    /// Any other answer of the operating system.
    #[error("the store cannot use {}: {cause}; mend that, or name another directory", path.display())]
    Io {
        /// What was to be used.
        path: PathBuf,
        /// The operating system's answer.
        cause: io::Error,
    },
}

impl OpenError {
    /// For `map_err`: the operating system's answer about `path`.
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| match cause.kind() {
            ErrorKind::NotADirectory => Self::NotADirectory { path },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::NoSpace { path },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::PermissionDenied => Self::Denied { path },
            _ => Self::Io { path, cause },
        }
    }
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// ENOSPC or EDQUOT: the file system is full.
    #[error("no space is left for {}", path.display())]
    NoSpace {
        /// What was to be written.
        path: PathBuf,
    },
    /// The store's bounds leave no room, whatever is evicted.
    #[error("the bounds of the store leave no room for {need} bytes more")]
    NoRoom {
        /// What was to be written, in bytes.
        need: u64,
    },
    /// A partial of this digest lives in this process already.
    #[error("{digest} is being written already")]
    Busy {
        /// The digest.
        digest: Digest,
    },
    /// What was to be marked is no hash of the object's algorithm, or of a scratch file.
    #[error("there can be no such mark at byte {offset}")]
    NoMark {
        /// Where the mark was to be.
        offset: u64,
    },
    /// The object has more bytes than the caller takes.
    #[error("the object has {size} bytes, more than the {max} that are taken")]
    TooLarge {
        /// The object's size in bytes.
        size: u64,
        /// What the caller takes, in bytes.
        max: u64,
    },
    /// Any other answer of the operating system, or a file that is shorter than it was.
    #[error("the store cannot use {}: {cause}", path.display())]
    Io {
        /// What was to be used.
        path: PathBuf,
        /// The operating system's answer.
        cause: io::Error,
    },
    /// The process is ending, so that no thread is left to do it.
    #[error("the store's threads are gone")]
    Stopped,
}

impl StoreError {
    /// For `map_err`: the operating system's answer about `path`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| match cause.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::NoSpace { path },
            _ => Self::Io { path, cause },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux's numbers (asm-generic/errno-base.h, errno.h).
    const EPERM: i32 = 1;
    const EIO: i32 = 5;
    const EACCES: i32 = 13;
    const ENOTDIR: i32 = 20;
    const ENOSPC: i32 = 28;
    const EROFS: i32 = 30;
    const EDQUOT: i32 = 122;

    #[test]
    fn open_errors_name_path_and_remedy() {
        let table = [
            (
                EACCES,
                "this process may not write /srv/l; let its user own the store, or name a directory that it owns",
            ),
            (
                EPERM,
                "this process may not write /srv/l; let its user own the store, or name a directory that it owns",
            ),
            (
                ENOSPC,
                "no space is left for /srv/l; free some, or put the store on another file system",
            ),
            (
                EDQUOT,
                "no space is left for /srv/l; free some, or put the store on another file system",
            ),
            (
                EROFS,
                "/srv/l is on a read-only file system; mount it for writing, or put the store on another one",
            ),
            (
                ENOTDIR,
                "/srv/l is not a directory, or something above it is not; name another directory",
            ),
            (
                EIO,
                "the store cannot use /srv/l: Input/output error (os error 5); mend that, or name another directory",
            ),
        ];
        for (code, text) in table {
            let error = OpenError::at(Path::new("/srv/l"))(io::Error::from_raw_os_error(code));
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn full_is_told_from_broken() {
        for (code, full) in [(ENOSPC, true), (EDQUOT, true), (EIO, false)] {
            let error = StoreError::at(Path::new("/x"))(io::Error::from_raw_os_error(code));
            assert_eq!(matches!(error, StoreError::NoSpace { .. }), full, "{code}");
        }
    }
}
