//! Where the socket lies.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

/// Its name in the store's directory.
pub(crate) const NAME: &str = "control.sock";

/// The longest path of a socket in bytes (unix(7): `sun_path` has 108 with its end).
const LONGEST: usize = 107;

/// A path to the socket that the kernel takes, however long the directory's own is.
pub(crate) struct SocketPath {
    path: PathBuf,
    /// Open while the path is used.
    _directory: Option<File>,
}

impl SocketPath {
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
        let path = directory.join(NAME);
        if path.as_os_str().len() <= LONGEST {
            return Ok(Self {
                path,
                _directory: None,
            });
        }
        let opened = File::open(directory)?;
        let short = format!("/proc/self/fd/{}/{NAME}", opened.as_raw_fd());
        Ok(Self {
            path: short.into(),
            _directory: Some(opened),
        })
    }

    pub(crate) fn get(&self) -> &Path {
        &self.path
    }
}
