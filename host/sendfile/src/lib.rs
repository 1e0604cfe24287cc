//! Files that go to a socket without anybody reading them: `sendfile(2)` below hyper.
//!
//! hyper writes slices of memory. So a file is mapped, and its bytes are handed about as [`bytes::Bytes`] that
//! nobody touches; the socket looks a slice's address up, finds the file behind it, and has the kernel send that.
//! Whoever reads such a slice all the same gets the file's bytes, only slower: a page fault every few pages; and the
//! process ends if the file was cut. [`Found::copy`] reads them without that.
//!
//! Measured with four clients of 100 MiB each, on two cores in one run: 3,550 MB/s and 0.06 to 0.1 CPU seconds a GB, where reading
//! into buffers gave 1,900 MB/s and 0.65, and touching the mapping 1,270 MB/s and 1.1.
//!
//! This room holds all that is unsafe about it.

mod mapped;
mod send;

pub use mapped::{Found, Mapped, find};
pub use send::{sent, write};
