//! Room for what comes, by eviction of what is needed least.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use ledge_core::digest::Digest;

use super::books::{Left, Measured};
use super::entry::Entry;
use super::index;
use super::policy::{SAMPLE, first_to_go};
use super::space::{Usage, lock};
use crate::blob::{Inner, StoreError, found};

/// How often room is made for one request: the file system may say late that files are gone, and others
/// take what became free.
const ROUNDS: usize = 8;

/// How many victims in a row may turn out to be in use, or gone: then all that is left is being read.
const MISSES: usize = 64;

/// The keeper makes room when less than a fortieth is left, until a twentieth is: so few misses wait
/// for it, and little is kept empty.
const LITTLE: u64 = 40;
const ENOUGH: u64 = 20;

/// How many objects the keeper evicts before it lets somebody else: some milliseconds' work.
const BATCH: usize = 64;

impl Inner {
    /// Promises `need` bytes of the disk; evicts for it, if it can be had so.
    pub(crate) fn promise(&self, need: u64) -> Result<(), StoreError> {
        if self.promised(need)?.is_ok() {
            return Ok(());
        }
        let _one = lock(&self.space.evicting);
        for _ in 0..ROUNDS {
            let Err(lack) = self.promised(need)? else {
                return Ok(());
            };
            if lack > self.space.books().evictable() || self.free(lack, usize::MAX)? == 0 {
                break;
            }
        }
        Err(StoreError::NoRoom { need })
    }

    /// Promises them if nobody has to go for it. It waits for no disk.
    pub(crate) fn promise_free(&self, need: u64) -> Result<bool, StoreError> {
        Ok(self.promised(need)?.is_ok())
    }

    /// Promises them if there is room, or says how many bytes are lacking.
    fn promised(&self, need: u64) -> Result<Result<(), u64>, StoreError> {
        let measured = self.measure()?;
        let mut books = self.space.books();
        let promised = books.promise(need, &measured);
        let is_near = books.lack(books.capacity() / LITTLE, &measured) > 0;
        drop(books);
        if is_near {
            self.space.ring();
        }
        Ok(promised)
    }

    /// Makes room before it is asked for.
    pub(super) fn relieve(&self) -> Result<(), StoreError> {
        let measured = self.measure()?;
        if self.lack_of(LITTLE, &measured) == 0 {
            return Ok(());
        }
        self.relieve_until(ENOUGH)
    }

    fn relieve_until(&self, part: u64) -> Result<(), StoreError> {
        loop {
            let _one = lock(&self.space.evicting);
            let lack = self.lack_of(part, &self.measure()?);
            if lack == 0 || self.free(lack, BATCH)? == 0 {
                return Ok(());
            }
        }
    }

    /// Makes room until as much is free as is kept ahead, however little is lacking.
    pub(crate) fn relieve_fully(&self) -> Result<(), StoreError> {
        self.relieve_until(ENOUGH)
    }

    /// How many bytes must go so that such a part is free.
    fn lack_of(&self, part: u64, measured: &Measured) -> u64 {
        let mut books = self.space.books();
        books.look(measured);
        let lack = books.lack(books.capacity() / part, measured);
        lack.min(books.evictable())
    }

    /// Removes leftovers, and then at most `most` objects, until `lack` bytes are free or nothing is
    /// left to go. How many are.
    fn free(&self, lack: u64, most: usize) -> Result<u64, StoreError> {
        let mut freed = 0;
        while freed < lack
            && let Some(more) = self.free_leftover()?
        {
            freed += more;
        }
        // What was used a moment ago does not go for what is used now.
        self.write_uses();
        for _ in 0..most {
            if freed >= lack {
                break;
            }
            match self.evict_one()? {
                0 => break,
                more => freed += more,
            }
        }
        Ok(freed)
    }

    /// Removes the oldest unfinished object that nobody works on. None if there is none.
    fn free_leftover(&self) -> Result<Option<u64>, StoreError> {
        let oldest = self.space.books().oldest_leftover();
        let Some(digest) = oldest else {
            return Ok(None);
        };
        let freed = self.drop_leftover(&digest)?;
        Ok((freed > 0).then_some(freed))
    }

    /// An unfinished object is left to the next one of its digest.
    pub(crate) fn leave_behind(&self, digest: &Digest, disk: u64) {
        let since = SystemTime::now();
        let left = Left { disk, since };
        let too_many = self.space.books().leave_behind(digest, left);
        let dropped = too_many.map(|oldest| self.drop_leftover(&oldest));
        if let Some(Err(error)) = dropped {
            tracing::warn!(%error, "a leftover cannot be removed");
        }
    }

    /// Removes an unfinished object that nobody works on. What it took.
    pub(crate) fn drop_leftover(&self, digest: &Digest) -> Result<u64, StoreError> {
        let removed = self.claims.unless_taken(digest, || {
            for path in [self.layout.marks(digest), self.layout.incoming(digest)] {
                found(fs::remove_file(&path)).map_err(StoreError::at(&path))?;
            }
            Ok(())
        });
        match removed {
            Some(removed) => removed.map(|()| self.space.books().take_up(digest)),
            // It is taken up, or not left yet.
            None => Ok(0),
        }
    }

    /// Evicts the worst of a sample. What it took; 0 if nothing can go.
    fn evict_one(&self) -> Result<u64, StoreError> {
        for _ in 0..MISSES {
            let sample = self.sample();
            let entries = sample.iter().map(|(_, entry)| entry);
            let Some((digest, chosen)) = first_to_go(entries).map(|first| &sample[first]) else {
                return Ok(0);
            };
            // What was used or committed since it was looked at is another case.
            let freed = self.evict_if(digest, |entry| entry == chosen)?;
            if freed > 0 {
                tracing::debug!(%digest, bytes = freed, "evicted");
                return Ok(freed);
            }
        }
        Ok(0)
    }

    /// Some objects that may go, from anywhere; none if there are none.
    fn sample(&self) -> Vec<(Digest, Entry)> {
        let start = self.space.index.anywhere();
        let (mut after, mut is_again) = (Some(start.clone()), false);
        let mut sample = Vec::with_capacity(SAMPLE);
        while sample.len() < SAMPLE {
            let page = self.space.index.page(after.as_deref(), SAMPLE);
            let page = self.space.asked(page);
            let is_last = page.len() < SAMPLE;
            let last = page.last().map(|(hex, _)| hex.clone());
            let is_round = is_again && last.as_ref().is_none_or(|last| *last > start);
            let new = page
                .into_iter()
                .filter(|(hex, _)| !is_again || *hex <= start);
            sample.extend(new.filter_map(|(hex, entry)| self.candidate(&hex, entry)));
            if is_round || (is_again && is_last) {
                break;
            }
            is_again |= is_last;
            after = if is_last { None } else { last };
        }
        sample
    }

    fn candidate(&self, hex: &str, entry: Option<Entry>) -> Option<(Digest, Entry)> {
        let (digest, entry) = (index::digest(hex)?, entry?);
        let may_go = !entry.keeping.is_fixed() && !self.space.readers.is_open(&digest);
        may_go.then_some((digest, entry))
    }

    /// What the store holds.
    pub(crate) fn usage(&self) -> Result<Usage, StoreError> {
        let measured = self.measure()?;
        let books = self.space.books();
        Ok(Usage {
            objects: books.totals.objects,
            stored: books.totals.bytes,
            fixed: books.totals.fixed,
            unfinished: books.under_way() + books.leftovers(),
            promised: books.promised(),
            held: measured.held,
            used: books.used(&measured),
            evicted: self.space.evicted.load(Ordering::Relaxed),
            evicted_bytes: self.space.evicted_bytes.load(Ordering::Relaxed),
            complete: !self.space.is_incomplete(),
        })
    }
}
