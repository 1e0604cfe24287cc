//! Directories whose names survive a power cut.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Puts a directory's names on the disk.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    // The parent of a relative name is written so.
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    match File::open(path)?.sync_all() {
        // Some network and FUSE file systems know no fsync of a directory: they order names themselves.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}
