//! What the index says of objects, for whoever wants to know it.

use std::time::SystemTime;

use ledge_core::digest::Digest;

use super::entry::{Entry, Keeping};
use super::index;
use crate::blob::{Inner, StoreError};

/// What the index knows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which.
    pub digest: Digest,
    /// How many bytes of the disk it takes.
    pub disk: u64,
    /// When it was last used, to the minute; what is used now may be known some seconds later.
    pub used: SystemTime,
    /// Why it is kept.
    pub keeping: Keeping,
}

/// Some objects of the index, in the order of their digits.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The objects.
    pub objects: Vec<About>,
    /// Where the next page begins; none if this was the last.
    pub next: Option<String>,
}

impl About {
    pub(super) fn new(digest: Digest, entry: &Entry) -> Self {
        Self {
            digest,
            disk: entry.disk,
            used: entry.used.time(),
            keeping: entry.keeping,
        }
    }
}

impl Inner {
    pub(crate) fn about(&self, digest: &Digest) -> Option<About> {
        let entry = self.space.asked(self.space.index.get(digest))?;
        Some(About::new(digest.clone(), &entry))
    }

    pub(crate) fn page(&self, after: Option<&str>, limit: usize) -> Page {
        let page = self.space.asked(self.space.index.page(after, limit));
        let next = page.last().filter(|_| page.len() >= limit);
        let next = next.map(|(hex, _)| hex.clone());
        let objects = page.into_iter().filter_map(|(hex, entry)| {
            let digest = index::digest(&hex)?;
            Some(About::new(digest, &entry?))
        });
        Page {
            objects: objects.collect(),
            next,
        }
    }

    pub(crate) fn remove_if(
        &self,
        digest: &Digest,
        is_right: impl Fn(&About) -> bool,
    ) -> Result<bool, StoreError> {
        self.reopen();
        let _name = self.space.name(digest);
        match self.about(digest) {
            Some(about) if is_right(&about) => self.take_away(digest),
            _ => Ok(false),
        }
    }

    /// Notes what an object takes; false if that was known.
    pub(crate) fn resize(&self, digest: &Digest, disk: u64) -> bool {
        self.reopen();
        let _name = self.space.name(digest);
        let space = &self.space;
        let Some(before) = space.asked(space.index.get(digest)) else {
            return false;
        };
        if before.disk == disk {
            return false;
        }
        let after = Entry { disk, ..before };
        space.books().resize(digest, &before, &after);
        space.asked(space.index.set(digest, &after));
        true
    }
}
