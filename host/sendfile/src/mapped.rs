//! Files in the address space, and which addresses are whose.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};

/// Whatever keeps a file open.
type Keeper = Arc<dyn AsFd + Send + Sync>;

/// Every mapping that lives, by its first address.
static MAPPINGS: RwLock<BTreeMap<usize, Entry>> = RwLock::new(BTreeMap::new());

struct Entry {
    end: usize,
    file: Keeper,
}

/// A file's bytes, mapped. Clones share the mapping; it goes with the last slice of it.
#[derive(Clone)]
pub struct Mapped(Bytes);

/// What [`Bytes`] keep alive.
struct Mapping(Mmap);

/// The file behind a slice.
#[derive(Clone)]
pub struct Found {
    file: Keeper,
    /// Where in the file the slice begins.
    pub offset: u64,
}

impl Mapped {
    /// Maps the first `length` bytes of a file, which nobody may change or cut while slices of it are read:
    /// one that was cut ends the process (SIGBUS) that touches what is gone. Sending needs no touch.
    ///
    /// # Errors
    /// What `mmap(2)` gives; [`ErrorKind::InvalidInput`] if there is nothing to map; [`ErrorKind::PermissionDenied`] for
    /// a file of somebody else, of which the kernel says that all of it is in memory (`mincore(2)`);
    /// [`ErrorKind::Unsupported`] after `sendfile` failed once.
    pub fn new<F: AsFd + Send + Sync + 'static>(file: Arc<F>, length: u64) -> io::Result<Self> {
        let length = usize::try_from(length).map_err(|_| ErrorKind::OutOfMemory)?;
        if length == 0 {
            return Err(ErrorKind::InvalidInput.into());
        }
        if !crate::send::is_possible() {
            return Err(ErrorKind::Unsupported.into());
        }
        let (owner, me) = (
            rustix::fs::fstat(&*file)?.st_uid,
            rustix::process::geteuid(),
        );
        if owner != me.as_raw() && !me.is_root() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let map = map(file.as_fd(), length)?;
        let start = map.as_ptr() as usize;
        let entry = Entry {
            end: start + length,
            file,
        };
        write_lock().insert(start, entry);
        Ok(Self(Bytes::from_owner(Mapping(map))))
    }

    /// How many bytes are mapped.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: nothing is mapped of an empty file.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These bytes of the file, untouched.
    ///
    /// # Panics
    /// If they are not within what is mapped.
    pub fn slice(&self, span: Range<usize>) -> Bytes {
        self.0.slice(span)
    }

    /// Whether the kernel has all of these bytes in memory, so that sending them waits for no disk. False if it does
    /// not say.
    ///
    /// # Panics
    /// If they are not within what is mapped.
    pub fn is_resident(&self, span: Range<usize>) -> bool {
        resident(&self.0[span])
    }
}

#[allow(
    unsafe_code,
    reason = "memmap2 leaves it to its caller that nobody changes the file"
)]
fn map(file: BorrowedFd<'_>, length: usize) -> io::Result<Mmap> {
    // SAFETY: a slice of memory may not change while it is borrowed. What is mapped here are committed objects, which
    // are written to under another name, renamed, and never written again (`host/store`); whoever changes the store's files by
    // hand breaks the mirror with and without this. Test: `a_slice_has_the_file_s_bytes_and_its_place`.
    unsafe { MmapOptions::new().len(length).map(&file) }
}

#[allow(unsafe_code, reason = "there is no safe binding of mincore(2)")]
fn resident(slice: &[u8]) -> bool {
    let page = rustix::param::page_size();
    let address = slice.as_ptr() as usize;
    let skipped = address % page;
    let length = slice.len() + skipped;
    let mut pages = vec![0_u8; length.div_ceil(page)];
    // SAFETY: the pages that a borrowed slice touches are mapped, and there is a byte for each of them.
    // Test: `what_was_just_written_is_in_memory`.
    let told = unsafe {
        libc::mincore(
            (address - skipped) as *mut libc::c_void,
            length,
            pages.as_mut_ptr(),
        )
    };
    // The other bits mean nothing.
    told == 0 && pages.iter().all(|page| page & 1 == 1)
}

/// The file behind a slice, if it lies in a mapping.
pub fn find(slice: &[u8]) -> Option<Found> {
    let start = slice.as_ptr() as usize;
    let mappings = MAPPINGS.read().unwrap_or_else(PoisonError::into_inner);
    let (first, entry) = mappings.range(..=start).next_back()?;
    // A slice that is borrowed keeps its mapping: nothing else can be at these addresses.
    (start + slice.len() <= entry.end).then(|| Found {
        file: entry.file.clone(),
        offset: (start - first) as u64,
    })
}

impl Found {
    /// The file, open.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// A copy of the first bytes of the slice that was found, which has `length`: read, not touched.
    ///
    /// # Errors
    /// What reading gives; [`ErrorKind::UnexpectedEof`] if the file was cut.
    pub fn copy(&self, length: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; length];
        let mut filled = 0;
        while filled < length {
            let at = self.offset + filled as u64;
            match rustix::io::pread(self.file(), &mut buffer[filled..], at) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(buffer.into())
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Mapping {
    /// Before the addresses are given back, and may be somebody else's.
    fn drop(&mut self) {
        write_lock().remove(&(self.0.as_ptr() as usize));
    }
}

/// The table is right after every statement, so a panic elsewhere is no reason to stop.
fn write_lock() -> RwLockWriteGuard<'static, BTreeMap<usize, Entry>> {
    MAPPINGS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Says how long it is, and nothing of the bytes.
impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mapped").field(&self.len()).finish()
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        Arc::new(file)
    }

    #[test]
    fn a_slice_has_the_file_s_bytes_and_its_place() {
        let bytes: Vec<u8> = (0..20_000).map(|n| (n % 251) as u8).collect();
        let mapped = Mapped::new(file(&bytes), 20_000).expect("mapped");
        for span in [0..20_000, 0..1, 19_999..20_000, 4095..4097, 5000..5000] {
            let slice = mapped.slice(span.clone());
            assert_eq!(slice, bytes[span.clone()], "{span:?}");
            if !span.is_empty() {
                let found = find(&slice).expect("a mapping");
                assert_eq!(found.offset, span.start as u64);
                assert_eq!(found.copy(slice.len()).expect("read"), slice);
            }
        }
    }

    #[test]
    fn what_is_not_mapped_any_more_is_nobody_s() {
        let mapped = Mapped::new(file(&[7; 9000]), 9000).expect("mapped");
        let slice = mapped.slice(100..200);
        let copy = slice.to_vec();
        assert!(find(&copy).is_none(), "a copy lies elsewhere");
        drop(mapped);
        let place = find(&slice).expect("a slice keeps its mapping").offset;
        assert_eq!(place, 100);
        let start = slice.as_ptr() as usize - 100;
        drop(slice);
        let mappings = MAPPINGS.read().expect("no panic");
        // Other tests may have been given the address since; their mappings begin there too.
        if let Some(entry) = mappings.get(&start) {
            assert_ne!(entry.end, start + 9000);
        }
    }

    #[test]
    fn what_was_just_written_is_in_memory() {
        let mapped = Mapped::new(file(&[1; 100_000]), 100_000).expect("mapped");
        for span in [0..100_000, 4096..8192, 4095..4097, 99_999..100_000] {
            assert!(mapped.is_resident(span.clone()), "{span:?}");
        }
    }

    #[test]
    fn what_the_file_lost_is_an_error_and_no_signal() {
        let file = file(&[1; 100_000]);
        let mapped = Mapped::new(file.clone(), 100_000).expect("mapped");
        file.set_len(10).expect("cut");
        assert!(!mapped.is_resident(90_000..100_000));
        let found = find(&mapped.slice(90_000..100_000)).expect("a mapping");
        let error = found.copy(10_000).expect_err("cut");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn nothing_cannot_be_mapped() {
        let error = Mapped::new(file(b""), 0).expect_err("nothing");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
