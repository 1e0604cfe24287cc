//! What one unfinished object takes, and may still take.

use std::fs::File;
use std::sync::Mutex;

use ledge_core::digest::Digest;

use super::books::Books;
use super::measure::taken;
use super::space::lock;
use crate::blob::{Inner, StoreError};

/// How much is asked for at a time for an object of which nobody knows the size: few calls for large ones,
/// little that others lack meanwhile.
const STEP: u64 = 256 * 1024;

/// What a file may take beside its bytes: the last page, and the file system's notes where it lies
/// (of `ext4`, a page for each 340 extents).
const BESIDE: u64 = 16 * 1024;

/// The part of a file's size that those notes take at most.
const NOTES: u64 = 4096;

/// The account of one unfinished object.
#[derive(Debug, Default)]
pub(crate) struct Account(Mutex<Numbers>);

#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    /// Promised, and not written yet.
    promised: u64,
    /// What the file takes.
    disk: u64,
    /// How many bytes were written to it: where file systems tell late what a file takes, it is
    /// no less.
    written: u64,
    /// What the marks take.
    marks: u64,
}

impl Account {
    /// Of an unfinished object that somebody left, or that is new. From here on it is no leftover.
    pub(crate) fn of_leftover(store: &Inner, digest: &Digest, file: &File, marks: u64) -> Self {
        let disk = file.metadata().map_or(0, |about| taken(&about));
        let mut books = store.space.books();
        books.take_up(digest);
        books.incoming(0, disk + marks);
        Self(Mutex::new(Numbers {
            disk,
            written: disk,
            marks,
            promised: 0,
        }))
    }

    /// Has room promised for `more` bytes.
    pub(crate) fn reserve(&self, store: &Inner, more: u64) -> Result<(), StoreError> {
        if more == 0 {
            return Ok(());
        }
        let need = with_notes(more);
        store.promise(need)?;
        lock(&self.0).promised += need;
        Ok(())
    }

    /// The same if nobody has to go for it; false if somebody has.
    pub(crate) fn reserve_free(&self, store: &Inner, more: u64) -> Result<bool, StoreError> {
        if more == 0 {
            return Ok(true);
        }
        let need = with_notes(more);
        let is_promised = store.promise_free(need)?;
        if is_promised {
            lock(&self.0).promised += need;
        }
        Ok(is_promised)
    }

    /// Before `length` bytes are written: what was not promised is now.
    pub(crate) fn allow(&self, store: &Inner, length: u64) -> Result<(), StoreError> {
        let short = length.saturating_sub(lock(&self.0).promised);
        if short == 0 {
            return Ok(());
        }
        let need = short.max(STEP);
        store.promise(need)?;
        lock(&self.0).promised += need;
        Ok(())
    }

    /// After they were written.
    pub(crate) fn wrote(&self, store: &Inner, file: &File, length: u64) {
        let mut numbers = lock(&self.0);
        numbers.written += length;
        let measured = file.metadata().map_or(0, |about| taken(&about));
        let disk = measured.max(numbers.written);
        numbers.take(store, disk);
    }

    /// After the file was cut.
    pub(crate) fn cut(&self, store: &Inner, file: &File) {
        let mut numbers = lock(&self.0);
        let measured = file.metadata().map_or(numbers.disk, |about| taken(&about));
        numbers.written = numbers.written.min(measured);
        numbers.take(store, measured);
    }

    /// The marks take so much.
    pub(crate) fn mark(&self, store: &Inner, disk: u64) {
        let mut numbers = lock(&self.0);
        store.space.books().incoming(numbers.marks, disk);
        numbers.marks = disk;
    }

    /// What file and marks take.
    pub(crate) fn disk(&self) -> u64 {
        let numbers = lock(&self.0);
        numbers.disk + numbers.marks
    }

    /// It is over: what becomes of the bytes is entered elsewhere.
    pub(crate) fn close(&self, store: &Inner) {
        let closed = self.closing();
        closed.settle(&mut store.space.books());
    }

    /// The same, for who enters what becomes of the bytes in the same moment.
    pub(super) fn closing(&self) -> Closing {
        Closing(std::mem::take(&mut *lock(&self.0)))
    }
}

/// What an account held that is over, and is still in the books.
#[derive(Debug, Default)]
pub(super) struct Closing(Numbers);

impl Closing {
    /// It is not any more.
    pub(super) fn settle(self, books: &mut Books) {
        books.release(self.0.promised);
        books.incoming(self.0.disk + self.0.marks, 0);
    }
}

/// What a file of so many more bytes takes at most.
fn with_notes(more: u64) -> u64 {
    more.saturating_add(more / NOTES).saturating_add(BESIDE)
}

impl Numbers {
    /// The file takes `disk` now; what it grew by was promised.
    fn take(&mut self, store: &Inner, disk: u64) {
        let used = disk.saturating_sub(self.disk).min(self.promised);
        let mut books = store.space.books();
        books.incoming(self.disk, disk);
        books.release(used);
        self.promised -= used;
        self.disk = disk;
    }
}
