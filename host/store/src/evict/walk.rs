//! Makes the index agree with the directories: after a process that did not end well, for stores that
//! had no index, and when an operator has the store checked. Clients are served meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ledge_core::digest::Digest;

use super::books::Totals;
use super::enter::PAGE;
use super::entry::Entry;
use super::index;
use crate::blob::{Inner, StoreError, found};

/// The objects of one directory, found and known.
type Known = BTreeMap<String, Option<Entry>>;

/// What was found in the directories of one first byte.
#[derive(Debug, Default)]
pub struct Mended {
    /// The objects that are there.
    pub objects: Vec<Digest>,
    /// Those that the index did not know.
    pub entered: Vec<Digest>,
    /// Those that it knew, and that are not there: their digits.
    pub forgotten: Vec<String>,
    /// What lies there and is no object.
    pub strangers: Vec<Stranger>,
}

/// Something among the objects whose name is not that of one. The index knows nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger(PathBuf);

impl Stranger {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Inner {
    /// Looks at the objects whose digests have this first byte.
    pub(crate) fn walk(&self, byte: u8) -> Result<Mended, StoreError> {
        let _names = self.space.shard(byte);
        let prefix = format!("{byte:02x}");
        let mut known = self.known(&prefix);
        let mut mended = self.listed(&prefix)?;
        for digest in &mended.objects {
            if known.remove(digest.hex()).flatten().is_none() && self.enter_forgotten(digest)? {
                mended.entered.push(digest.clone());
            }
        }
        for (hex, entry) in known {
            self.forget(&hex, entry);
            mended.forgotten.push(hex);
        }
        let mut sums = Totals::default();
        let entries = self.known(&prefix).into_values().flatten();
        entries.for_each(|entry| sums.add(&entry));
        self.space.books().recounted(byte, sums);
        Ok(mended)
    }

    fn known(&self, prefix: &str) -> Known {
        let mut known = Known::new();
        // The digits of a digest sort behind their own prefix.
        let mut after = prefix.to_owned();
        loop {
            let page = self.space.asked(self.space.index.page(Some(&after), PAGE));
            let count = page.len();
            let of_it = page
                .into_iter()
                .take_while(|(hex, _)| hex.starts_with(prefix));
            let before = known.len();
            known.extend(of_it);
            match known.last_key_value() {
                Some((last, _)) if known.len() - before == PAGE && count == PAGE => {
                    after.clone_from(last);
                }
                _ => return known,
            }
        }
    }

    /// What lies in the directories.
    fn listed(&self, prefix: &str) -> Result<Mended, StoreError> {
        let mut listed = Mended::default();
        for algorithm in ["sha256", "sha512"] {
            let shard = self.layout.blobs().join(algorithm).join(prefix);
            let names = found(fs::read_dir(&shard)).map_err(StoreError::at(&shard))?;
            self.space.look(&shard);
            for entry in names.into_iter().flatten() {
                let entry = entry.map_err(StoreError::at(&shard))?;
                let name = entry.file_name();
                let parse = |hex: &str| Digest::parse(&format!("{algorithm}:{hex}")).ok();
                let digest = name.to_str().and_then(parse);
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                match digest.filter(|digest| is_file && digest.hex().starts_with(prefix)) {
                    Some(digest) => listed.objects.push(digest),
                    None => listed.strangers.push(Stranger(entry.path())),
                }
            }
        }
        Ok(listed)
    }

    /// False if it is gone meanwhile.
    fn enter_forgotten(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.layout.object(digest);
        let about = found(fs::metadata(&path)).map_err(StoreError::at(&path))?;
        if let Some(about) = &about {
            self.enter_found(digest, about);
        }
        Ok(about.is_some())
    }

    /// What is not there is not known any more.
    fn forget(&self, hex: &str, entry: Option<Entry>) {
        let space = &self.space;
        space.asked(space.index.forget(hex));
        if let (Some(digest), Some(entry)) = (index::digest(hex), entry) {
            space.books().leave(&digest, &entry);
        }
    }
}
