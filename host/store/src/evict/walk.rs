//! Makes the index agree with the directories, after a process that did not end well and for stores that
//! had no index. Clients are served meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use ledge_core::digest::Digest;

use super::books::Totals;
use super::enter::PAGE;
use super::entry::Entry;
use super::index;
use crate::blob::{Inner, StoreError, found};

/// The objects of one directory, found and known.
type Known = BTreeMap<String, Option<Entry>>;

impl Inner {
    /// Looks at the objects whose digests have this first byte.
    pub(super) fn walk(&self, byte: u8) -> Result<(), StoreError> {
        let _names = self.space.shard(byte);
        let prefix = format!("{byte:02x}");
        let mut known = self.known(&prefix);
        for digest in self.listed(&prefix)? {
            if known.remove(digest.hex()).flatten().is_none() {
                self.enter_forgotten(&digest)?;
            }
        }
        for (hex, entry) in known {
            self.forget(&hex, entry);
        }
        let mut sums = Totals::default();
        let entries = self.known(&prefix).into_values().flatten();
        entries.for_each(|entry| sums.add(&entry));
        self.space.books().recounted(byte, sums);
        Ok(())
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

    fn listed(&self, prefix: &str) -> Result<Vec<Digest>, StoreError> {
        let mut listed = Vec::new();
        for algorithm in ["sha256", "sha512"] {
            let shard = self.layout.blobs().join(algorithm).join(prefix);
            let names = found(fs::read_dir(&shard)).map_err(StoreError::at(&shard))?;
            let names = names.into_iter().flatten();
            let names: io::Result<Vec<_>> = names
                .map(|entry| entry.map(|entry| entry.file_name()))
                .collect();
            let names = names.map_err(StoreError::at(&shard))?;
            self.space.look(&shard);
            let parse = |hex: &str| Digest::parse(&format!("{algorithm}:{hex}")).ok();
            listed.extend(names.iter().filter_map(|name| parse(name.to_str()?)));
        }
        Ok(listed)
    }

    fn enter_forgotten(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.layout.object(digest);
        let about = found(fs::metadata(&path)).map_err(StoreError::at(&path))?;
        if let Some(about) = about {
            self.enter_found(digest, &about);
        }
        Ok(())
    }

    /// What is not there is not known any more.
    fn forget(&self, hex: &str, entry: Option<Entry>) {
        let space = &self.space;
        space.asked(space.index.forget(hex));
        if let (Some(digest), Some(entry)) = (index::digest(hex), entry) {
            space.books().leave(&digest, &entry);
            self.tier.remove(&digest);
        }
    }
}
