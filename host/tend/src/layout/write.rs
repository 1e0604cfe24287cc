//! A layout as a tar.

use std::io::{self, Read, Write};
use std::path::Path;

use ledge_core::digest::Digest;
use tar::{Builder, Header};

use super::{INDEX, MARKER, MARKER_TEXT, blob};

/// Files are readable to everybody: it is the archive that is guarded.
const MODE: u32 = 0o644;

/// Writes a layout, file by file. The same images give the same bytes.
pub(crate) struct LayoutWriter<W: Write>(Builder<W>);

impl<W: Write> LayoutWriter<W> {
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let mut writer = Self(Builder::new(out));
        writer.file(Path::new(MARKER), MARKER_TEXT.len() as u64, MARKER_TEXT)?;
        Ok(writer)
    }

    /// A blob, of which there must be so many bytes.
    pub(crate) fn blob(&mut self, digest: &Digest, size: u64, bytes: impl Read) -> io::Result<()> {
        self.file(&blob(digest), size, bytes)
    }

    /// Writes the index, and ends it.
    pub(crate) fn finish(mut self, index: &[u8]) -> io::Result<()> {
        self.file(Path::new(INDEX), index.len() as u64, index)?;
        self.0.into_inner()?.flush()
    }

    pub(super) fn file(&mut self, path: &Path, size: u64, bytes: impl Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(size);
        header.set_mode(MODE);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        self.0.append_data(&mut header, path, bytes)
    }

    /// Ends it without an index, which was one of its files.
    pub(super) fn end(self) -> io::Result<()> {
        self.0.into_inner()?.flush()
    }
}
