//! Objects come, are used, and go: names and the index change together.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use ledge_core::digest::Digest;

use super::account::{Account, Closing};
use super::entry::{Class, Entry, Keeping};
use super::measure::disk_of;
use super::policy::Standing;
use super::space::now;
use crate::blob::{Inner, StoreError, found};
use crate::minutes::Minutes;

/// How many entries are looked at together.
pub(super) const PAGE: usize = 1024;

impl Inner {
    /// Gives an unfinished object, which takes `disk` bytes, its name, and enters it. It is found from here on.
    pub(crate) fn rename(
        &self,
        from: &Path,
        digest: &Digest,
        disk: u64,
        account: &Account,
        keeping: Keeping,
    ) -> io::Result<()> {
        self.reopen();
        let _name = self.space.name(digest);
        // First: a crash may leave what is counted and not there, rather than the other way round.
        self.enter(digest, disk, now(), keeping, account.closing());
        let renamed = fs::rename(from, self.layout.object(digest));
        if renamed.is_err() {
            self.drop_entry(digest);
        }
        self.hot.remove(digest);
        renamed
    }

    /// Makes sure that it is known after a crash why an object is kept that cannot be fetched again.
    pub(crate) fn settle(&self, keeping: Keeping) {
        if keeping.class != Class::Cached {
            self.space.asked(self.space.index.flush());
        }
    }

    /// Enters an object, in the moment in which it is unfinished no more. The caller holds its name.
    fn enter(&self, digest: &Digest, disk: u64, used: Minutes, keeping: Keeping, closing: Closing) {
        let space = &self.space;
        let before = space.asked(space.index.get(digest));
        let entry = {
            let mut books = space.books();
            let entry = Entry {
                disk,
                used,
                standing: Standing::new(books.now()),
                keeping: before.map_or(keeping, |before| before.keeping.or(keeping)),
            };
            books.enter(digest, &entry, before.as_ref());
            closing.settle(&mut books);
            entry
        };
        space.asked(space.index.set(digest, &entry));
        space.asked(space.save(false));
        if space.is_unsaved(disk) {
            space.asked(space.index.flush());
        }
    }

    /// Enters an object that is there, and of which nothing is known. The caller holds its name.
    pub(super) fn enter_found(&self, digest: &Digest, about: &Metadata) {
        let used = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        self.enter(
            digest,
            disk_of(about),
            Minutes::of(used),
            Keeping::default(),
            Closing::default(),
        );
    }

    /// Writes down who was used since the last call.
    pub(super) fn write_uses(&self) {
        let now = now();
        for digest in self.space.take_uses() {
            let _name = self.space.name(&digest);
            match self.space.asked(self.space.index.get(&digest)) {
                Some(entry) => self.used(&digest, entry, now),
                None => self.found(&digest),
            }
        }
    }

    /// What changes nothing but the time, and little of that, is not written: in a store that nothing
    /// comes into, clients cost the disk nothing.
    fn used(&self, digest: &Digest, entry: Entry, now: Minutes) {
        let standing = entry.standing.used(self.space.books().now());
        let is_due = entry.used < now.before(self.space.noted_each());
        if is_due || standing != entry.standing {
            let used = Entry {
                used: entry.used.max(now),
                standing,
                ..entry
            };
            self.space.asked(self.space.index.set(digest, &used));
        }
    }

    /// Somebody read an object of which the index knows nothing: it is gone, or was forgotten.
    fn found(&self, digest: &Digest) {
        if let Ok(about) = fs::metadata(self.layout.object(digest)) {
            self.enter_found(digest, &about);
        }
    }

    /// Removes an object; false if it was not stored. Who reads it reads on.
    pub(crate) fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.reopen();
        let _name = self.space.name(digest);
        self.take_away(digest)
    }

    /// The same. The caller holds its name.
    pub(crate) fn take_away(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.layout.object(digest);
        let removed = found(fs::remove_file(&path)).map_err(StoreError::at(&path))?;
        self.held.remove(digest);
        self.hot.remove(digest);
        let entry = self.drop_entry(digest);
        if let Some(entry) = entry.filter(|_| removed.is_some()) {
            self.space.readers.unlinked(digest, entry.disk);
        }
        Ok(removed.is_some())
    }

    fn drop_entry(&self, digest: &Digest) -> Option<Entry> {
        let space = &self.space;
        let entry = space.asked(space.index.get(digest))?;
        space.asked(space.index.remove(digest));
        space.books().leave(digest, &entry);
        Some(entry)
    }

    /// Removes what nobody has used for longer than the bound.
    pub(crate) fn expire(&self, now: SystemTime) -> Result<(), StoreError> {
        let Some(max_age) = self.space.max_age else {
            return Ok(());
        };
        self.write_uses();
        let since = Minutes::of(now).before(max_age);
        let is_old = |entry: &Entry| entry.used < since && !entry.keeping.is_fixed();
        let mut after = None;
        loop {
            let page = self.space.index.page(after.as_deref(), PAGE);
            let page = self.space.asked(page);
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            let old = page
                .iter()
                .filter(|(_, entry)| entry.is_some_and(|e| is_old(&e)));
            for digest in old.filter_map(|(hex, _)| super::index::digest(hex)) {
                self.evict_if(&digest, is_old)?;
            }
        }
    }

    /// Evicts an object, if that is still right and nobody reads it. What it took.
    pub(super) fn evict_if(
        &self,
        digest: &Digest,
        is_right: impl Fn(&Entry) -> bool,
    ) -> Result<u64, StoreError> {
        let space = &self.space;
        let _name = space.name(digest);
        let entry = space.asked(space.index.get(digest));
        let Some(entry) = entry.filter(|entry| is_right(entry)) else {
            return Ok(0);
        };
        if space.readers.is_open(digest) {
            return Ok(0);
        }
        if self.take_away(digest)? {
            space.evicted.fetch_add(1, Ordering::Relaxed);
            space.evicted_bytes.fetch_add(entry.disk, Ordering::Relaxed);
        }
        Ok(entry.disk)
    }

    /// The index says that it is complete, and is about to be not.
    pub(crate) fn reopen(&self) {
        if self.space.closed.swap(false, Ordering::AcqRel) {
            let said = self.space.save(false);
            self.space
                .asked(said.and_then(|()| self.space.index.flush()));
        }
    }

    /// Writes everything down, and that nothing is missing.
    pub(crate) fn close(&self) {
        self.write_uses();
        let complete = !self.space.is_incomplete();
        let said = self.space.save(complete);
        if self
            .space
            .asked(said.and_then(|()| self.space.index.flush()).map(|()| true))
        {
            self.space.closed.store(complete, Ordering::Release);
        }
    }
}
