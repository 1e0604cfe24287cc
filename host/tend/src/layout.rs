//! OCI image layouts: OCI image specification 1.1, "Image Layout". As a tar, which can be a stream, or as a directory.

mod archive;
mod directory;
mod index;
mod write;

pub use archive::LayoutError;
pub(crate) use archive::{Archive, Member, whole};
pub use directory::{directory_size, pack, unpack};
pub(crate) use index::{Described, Index, check_marker};
pub(crate) use write::LayoutWriter;

use std::path::PathBuf;

use ledge_core::digest::Digest;

/// The file that says that it is a layout.
pub(crate) const MARKER: &str = "oci-layout";

/// What it says ("oci-layout file").
pub(crate) const MARKER_TEXT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The file that lists what is in the layout.
pub(crate) const INDEX: &str = "index.json";

/// What `docker save` and others put beside it.
const PASSED: [&str; 2] = ["manifest.json", "repositories"];

/// The longest index, 16 MiB: some fifty thousand images.
pub(crate) const MAX_INDEX: u64 = 16 << 20;

/// The longest marker: what it says is thirty bytes.
pub(crate) const MAX_MARKER: u64 = 4096;

/// Where a blob lies.
pub(crate) fn blob(digest: &Digest) -> PathBuf {
    ["blobs", digest.algorithm().as_str(), digest.hex()]
        .iter()
        .collect()
}

/// What a path in a layout is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Marker,
    Index,
    Blob(Digest),
    /// Other programs' file.
    Passed,
}

impl Name {
    /// None for what has no place in a layout.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix("./").unwrap_or(path);
        match path {
            MARKER => return Some(Self::Marker),
            INDEX => return Some(Self::Index),
            path if PASSED.contains(&path) => return Some(Self::Passed),
            _ => {}
        }
        let (algorithm, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
        let digest = Digest::parse(&format!("{algorithm}:{hex}"));
        digest.ok().map(Self::Blob)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_layout() {
        let digest = Digest::from_sha256(&[0xab; 32]);
        let path = format!("blobs/sha256/{}", digest.hex());
        assert_eq!(blob(&digest), PathBuf::from(&path));
        let table = [
            ("oci-layout".to_owned(), Some(Name::Marker)),
            ("./index.json".to_owned(), Some(Name::Index)),
            (path.clone(), Some(Name::Blob(digest.clone()))),
            (format!("./{path}"), Some(Name::Blob(digest))),
            ("manifest.json".to_owned(), Some(Name::Passed)),
            (format!("/{path}"), None),
            (format!("x/{path}"), None),
            (format!("../{path}"), None),
            ("blobs/sha256/../../etc/passwd".to_owned(), None),
            ("blobs/sha256/00".to_owned(), None),
            ("blobs/md5/00".to_owned(), None),
            (String::new(), None),
        ];
        for (path, name) in table {
            assert_eq!(Name::parse(&path), name, "{path}");
        }
    }
}
