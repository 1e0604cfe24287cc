//! What can go wrong with records.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use redb::{DatabaseError, StorageError};

use super::{MAX_KEY, MAX_VALUE};

/// Why a key-value store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KvError {
    /// The key is longer than [`MAX_KEY`].
    #[error("the key has {length} bytes; at most {MAX_KEY} are taken")]
    KeyTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The value is longer than [`MAX_VALUE`].
    #[error("the value has {length} bytes; at most {MAX_VALUE} are taken")]
    ValueTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Whoever has the records does not answer.
    #[error("the records at {place} cannot be had: {reason}")]
    Away {
        /// Who, as a URL.
        place: String,
        /// Why. It repeats nothing that was sent.
        reason: String,
    },
    /// The store does not list its keys.
    #[error("the keys are not listed")]
    Unlisted,
    /// Records come in faster than the disk takes them.
    #[error("too many records wait for the disk")]
    Behind,
    /// The file was closed after an error, and could not be opened again yet.
    #[error("the file of records is closed after an error")]
    Closed,
    /// The file cannot be read or written.
    #[error("the file of records: {0}")]
    File(#[source] Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for KvError {
    fn from(error: E) -> Self {
        Self::File(Box::new(error.into()))
    }
}

/// Why a file of records cannot be opened. Each text names the path and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenKvError {
    /// Another process has it open.
    #[error("{} is in use by another process; stop that one, or name another store", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged, or no such file at all.
    #[error("{} is damaged ({reason}); move it away: what was in it is learned again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// No space is left for it.
    #[error("no space is left for {}; free some, or put the store on another file system", path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
    },
    /// Any other answer of the operating system.
    #[error("cannot use {}: {cause}; mend that, or name another store", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        cause: io::Error,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start the thread that writes records: {0}")]
    Thread(#[source] io::Error),
}

impl OpenKvError {
    /// For `map_err`: what the database said about the file at `path`.
    pub(super) fn at(path: &Path) -> impl FnOnce(DatabaseError) -> Self {
        let path = path.to_owned();
        move |error| match error {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse { path },
            DatabaseError::Storage(StorageError::Io(source)) => Self::io(&path)(source),
            other => Self::Damaged {
                path,
                reason: other.to_string(),
            },
        }
    }

    /// For `map_err`: what was said when the file at `path` was first read and written.
    pub(crate) fn read(path: &Path) -> impl Fn(KvError) -> Self {
        let path = path.to_owned();
        move |error| match error {
            KvError::File(error) => match *error {
                redb::Error::Io(cause) => Self::io(&path)(cause),
                other => Self::Damaged {
                    path: path.clone(),
                    reason: other.to_string(),
                },
            },
            other => Self::Damaged {
                path: path.clone(),
                reason: other.to_string(),
            },
        }
    }

    /// For `map_err`: the operating system's answer about `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| match cause.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::NoSpace { path },
            // A file that ends in the middle, or is none of the database's.
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData => Self::Damaged {
                path,
                reason: cause.to_string(),
            },
            _ => Self::Io { path, cause },
        }
    }
}
