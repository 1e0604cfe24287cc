//! Files that the kernel has in memory, without waiting for a disk.
//!
//! A thread that may wait costs a request more than all the rest of finding an object: two switches of
//! threads. Most objects need none, because the kernel still has them from the client before.

use std::fs::File;
use std::io::IoSliceMut;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// What is known of a file at once.
#[derive(Debug)]
pub(super) enum Cached {
    Open(File),
    /// There is none.
    Missing,
    /// Somebody has to wait for the disk to know, or the kernel is older than Linux 5.12.
    Unknown,
}

/// Opens a file, if that waits for nothing.
pub(super) fn open(path: &Path) -> Cached {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
        Ok(file) => Cached::Open(file.into()),
        Err(Errno::NOENT) => Cached::Missing,
        Err(_) => Cached::Unknown,
    }
}

/// These bytes of a file; none if they are not all in memory.
pub(super) fn read(file: &File, span: Range<u64>) -> Option<Bytes> {
    let mut buffer = vec![0; usize::try_from(span.end.checked_sub(span.start)?).ok()?];
    if !buffer.is_empty() {
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let read = preadv2(file, &mut slices, span.start, ReadWriteFlags::NOWAIT).ok()?;
        (read == buffer.len()).then_some(())?;
    }
    Some(buffer.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_just_written_is_there_at_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        fs::write(&path, b"0123456789").expect("written");
        // A kernel that cannot tell says so, and everybody waits as before.
        if let Cached::Open(file) = open(&path) {
            assert_eq!(read(&file, 3..3).expect("nothing"), "");
            assert!(read(&file, 2..10).is_none_or(|bytes| bytes == "23456789"));
            assert_eq!(read(&file, 2..11), None, "it has no more");
        }
        fs::remove_file(&path).expect("removed");
        assert!(!matches!(open(&path), Cached::Open(_)));
    }
}
