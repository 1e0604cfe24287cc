//! A store of records: a folder, and in it a file for each.
//!
//! A file is named by the SHA-256 of its key, because keys are longer than names of files may be. It holds the
//! key's length (four bytes, little-endian), the key and the value, and is written beside and renamed: instances
//! that share the folder see it whole.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// A store.
#[derive(Debug)]
pub(crate) struct Records {
    folder: PathBuf,
}

impl Records {
    /// The store of this label, which is the folder's name; `None` if that is no plain name.
    pub(crate) fn open(folder: &Path, label: &str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (!label.is_empty() && label.chars().all(is_plain)).then(|| Self {
            folder: folder.join(label),
        })
    }

    pub(crate) fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        let content = present(fs::read(self.file(key)))?;
        Ok(content.and_then(|content| {
            let (found, value) = split(&content)?;
            (found == key).then(|| value.to_vec())
        }))
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> io::Result<()> {
        let length = u32::try_from(key.len()).map_err(io::Error::other)?;
        let content = [&length.to_le_bytes(), key.as_bytes(), value].concat();
        fs::create_dir_all(&self.folder)?;
        // Seeded anew each time, so that no two writers have the same file.
        let fresh = RandomState::new().hash_one(key);
        let fresh = self.folder.join(format!("new-{fresh:016x}"));
        fs::write(&fresh, content)?;
        fs::rename(fresh, self.file(key))
    }

    pub(crate) fn delete(&self, key: &str) -> io::Result<()> {
        present(fs::remove_file(self.file(key))).map(drop)
    }

    pub(crate) fn keys(&self) -> io::Result<Vec<String>> {
        let mut keys = Vec::new();
        for entry in present(fs::read_dir(&self.folder))?.into_iter().flatten() {
            let entry = entry?;
            if entry.file_name().len() != DIGITS {
                continue;
            }
            // It may have been deleted since.
            let content = present(fs::read(entry.path()))?.unwrap_or_default();
            keys.extend(split(&content).map(|(key, _)| key.to_owned()));
        }
        Ok(keys)
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.join(hex::encode(Sha256::digest(key)))
    }
}

/// The key and the value in a file.
fn split(content: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = content.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (key, value) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(key).ok()?, value))
}

/// What is not there is nothing.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::{Records, split};

    #[test]
    fn a_record_is_what_was_set_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = Records::open(folder.path(), "default").expect("a plain name");
        let other = Records::open(folder.path(), "catalog").expect("a plain name");
        assert_eq!(records.get("a").expect("no failure"), None);
        assert!(records.keys().expect("no failure").is_empty());
        records.delete("a").expect("nothing to delete");

        let long = "repository/".repeat(300);
        for (key, value) in [("a", "1"), (long.as_str(), ""), ("a", "22")] {
            records.set(key, value.as_bytes()).expect("it is written");
        }
        assert_eq!(
            records.get("a").expect("no failure").as_deref(),
            Some(&b"22"[..])
        );
        assert_eq!(
            records.get(&long).expect("no failure").as_deref(),
            Some(&b""[..])
        );
        let mut keys = records.keys().expect("no failure");
        keys.sort();
        assert_eq!(keys, ["a", long.as_str()]);
        assert_eq!(other.get("a").expect("no failure"), None);

        records.delete("a").expect("it is deleted");
        assert_eq!(records.get("a").expect("no failure"), None);
        let left = folder.path().join("default").read_dir().expect("a folder");
        assert_eq!(left.count(), 1, "nothing is left of what was replaced");
    }

    #[test]
    fn a_label_is_no_path() {
        for (label, is_one) in [
            ("default", true),
            ("a-b_1", true),
            ("", false),
            (".", false),
            ("..", false),
            ("a/b", false),
        ] {
            let opened = Records::open("/key-value".as_ref(), label);
            assert_eq!(opened.is_some(), is_one, "{label:?}");
        }
    }

    #[test]
    fn what_is_cut_off_is_no_record() {
        assert_eq!(split(b"\x01\0\0\0kv"), Some(("k", &b"v"[..])));
        for content in [&b""[..], b"\x01\0\0", b"\x02\0\0\0k", b"\x01\0\0\0\xff"] {
            assert_eq!(split(content), None, "{content:?}");
        }
    }
}
