//! A layout that comes as a tar from anywhere: what may be in it, and how much of it is read.
//!
//! The `tar` crate would read names of any length into memory, and make the links that an archive asks for; so its entries
//! are taken raw, and all that is no plain file with a layout's name is refused.

use std::io::{self, Read};

use ledge_core::digest::Digest;
use tar::{Entries, Entry, EntryType, PaxExtensions};

use super::Name;

/// The longest name that is read beside a header: a blob's has 141 bytes.
const MAX_NAME: u64 = 64 << 10;

/// Why something is no layout that is taken.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// It cannot be read, or is no tar.
    #[error("the layout cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A file has no place in a layout.
    #[error("{0:?} has no place in a layout")]
    Strange(String),
    /// It is no plain file.
    #[error("{0:?} is no plain file")]
    NoFile(String),
    /// It says that it is as large as this way of writing cannot say it.
    #[error(
        "the size of {0:?} is written in a way that is not taken; pack the layout with GNU tar"
    )]
    Size(String),
    /// It is larger than such a file is.
    #[error("{0} is larger than it may be")]
    TooLarge(&'static str),
    /// It is not there.
    #[error("it is no layout: there is no {0}")]
    Missing(&'static str),
    /// It cannot be read.
    #[error("{name} is not what the image specification says: {why}")]
    Wrong {
        /// The file.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// A file of a layout. Its bytes are read from the archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Marker,
    Index,
    Blob(Digest),
}

/// A layout, file by file.
pub(crate) struct Archive<'a, R: Read> {
    entries: Entries<'a, R>,
}

impl<'a, R: Read> Archive<'a, R> {
    pub(crate) fn new(archive: &'a mut tar::Archive<R>) -> Result<Self, LayoutError> {
        Ok(Self {
            entries: archive.entries()?.raw(true),
        })
    }

    /// The next file with its bytes, of which there must be as many as its size says.
    pub(crate) fn next(&mut self) -> Result<Option<(Member, Entry<'a, R>)>, LayoutError> {
        let mut long = None;
        for entry in self.entries.by_ref() {
            let mut entry = entry?;
            let kind = entry.header().entry_type();
            match kind {
                EntryType::GNULongName => {
                    let name = small(&mut entry)?;
                    long = Some(text(name.strip_suffix(b"\0").unwrap_or(&name)));
                    continue;
                }
                EntryType::XHeader => {
                    long = extended(&small(&mut entry)?)?.or(long);
                    continue;
                }
                EntryType::XGlobalHeader => {
                    small(&mut entry)?;
                    continue;
                }
                _ => {}
            }
            let own = || text(&entry.header().path_bytes());
            let path = long.take().unwrap_or_else(own);
            let name = match kind {
                EntryType::Directory if is_directory(&path) => continue,
                EntryType::Regular | EntryType::Continuous => Name::parse(&path),
                _ => return Err(LayoutError::NoFile(path)),
            };
            let member = match name {
                Some(Name::Marker) => Member::Marker,
                Some(Name::Index) => Member::Index,
                Some(Name::Blob(digest)) => Member::Blob(digest),
                Some(Name::Passed) => continue,
                None => return Err(LayoutError::Strange(path)),
            };
            return Ok(Some((member, entry)));
        }
        Ok(None)
    }
}

/// All of a file that is small.
pub(crate) fn whole(
    from: &mut impl Read,
    size: u64,
    max: u64,
    name: &'static str,
) -> Result<Vec<u8>, LayoutError> {
    if size > max {
        return Err(LayoutError::TooLarge(name));
    }
    let mut bytes = Vec::new();
    from.take(size).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < size {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

fn small<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, LayoutError> {
    let size = entry.size();
    whole(entry, size, MAX_NAME, "the name of a file")
}

/// The path that an extended header gives the next file (POSIX.1-2001, "pax Extended Header").
fn extended(header: &[u8]) -> Result<Option<String>, LayoutError> {
    let mut path = None;
    for record in PaxExtensions::new(header) {
        let record = record?;
        match record.key_bytes() {
            b"path" => path = Some(text(record.value_bytes())),
            b"size" => return Err(LayoutError::Size(path.unwrap_or_default())),
            _ => {}
        }
    }
    Ok(path)
}

/// The directories of a layout.
fn is_directory(path: &str) -> bool {
    let path = path.strip_prefix("./").unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    ["", ".", "blobs", "blobs/sha256", "blobs/sha512"].contains(&path)
}

/// What is no text is no name of a layout either.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
