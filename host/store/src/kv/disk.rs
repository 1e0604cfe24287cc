//! Records in one file on the local disk: a `redb` database with a table for each label.
//!
//! Changes are gathered in memory and written together, by a thread, within a second and when the
//! file is closed. So no caller waits for the disk, and a pull costs no fsync for its records. A
//! process that is killed loses what it set in its last second: records that are learned again.
//! What is in the file is always consistent; a batch is there whole or not at all.

use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use bytes::Bytes;
use redb::Builder;

use super::aged::{Aged, Kept, RecordBounds};
use super::file::{File, Opener, Table};
use super::pending::{Change, Changes, Pending, behind};
use super::{KeyValue, KeyValueStore, KvError, OpenKvError, check_key};
use crate::directory;

/// The database's own cache of pages, 4 MiB (its default is 1 GiB): some 15,000 records, the tags
/// and grants of a thousand images. What does not fit is in the kernel's page cache, from where a page
/// costs a microsecond, so that of a million images more of them would spare no request much.
const PAGE_CACHE: usize = 4 << 20;

/// An open file of records. Clones and labels share it; the last one that is dropped writes what
/// waits and closes it, which blocks for as long as the disk takes.
#[derive(Clone)]
pub struct RedbFile(Arc<Owner>);

/// The file, and the thread that writes to it.
struct Owner {
    file: Arc<File>,
    writer: Option<JoinHandle<()>>,
}

/// Opens the file of records at `path`, and makes it if there is none. A file that a killed
/// process left open is repaired. Blocking.
///
/// # Errors
/// [`OpenKvError`]; each text names the path and the remedy.
pub fn open_redb(path: &Path) -> Result<RedbFile, OpenKvError> {
    let place = path.to_owned();
    let opener = move || Builder::new().set_cache_size(PAGE_CACHE).create(&place);
    let opened = start(path, Box::new(opener))?;
    let parent = path.parent().unwrap_or(path);
    directory::sync(parent).map_err(OpenKvError::io(parent))?;
    Ok(opened)
}

fn start(path: &Path, opener: Opener) -> Result<RedbFile, OpenKvError> {
    let file = Arc::new(File::open(opener).map_err(OpenKvError::at(path))?);
    let run = file.clone();
    let writer = thread::Builder::new()
        .name("ledge-records".to_owned())
        .spawn(move || run.run())
        .map_err(OpenKvError::Thread)?;
    Ok(RedbFile(Arc::new(Owner {
        file,
        writer: Some(writer),
    })))
}

impl RedbFile {
    /// The records of a label; those of every other label are apart.
    pub fn label(&self, name: &str) -> KeyValue {
        Arc::new(Aged(self.table(name)))
    }

    /// Removes those records of a label that nobody has used for too long, and of too many those that
    /// were used the longest ago. How many went. Blocking.
    ///
    /// # Errors
    /// [`KvError`]; some may be gone.
    pub fn sweep(
        &self,
        name: &str,
        bounds: &RecordBounds,
        now: SystemTime,
    ) -> Result<u64, KvError> {
        Aged(self.table(name)).sweep(bounds, now)
    }

    /// At most `limit` records of a label behind `after`, in the order of their keys. It counts as no
    /// use of them. Blocking.
    ///
    /// # Errors
    /// [`KvError`]
    pub fn page(
        &self,
        name: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Kept>, KvError> {
        Aged(self.table(name)).page(after, limit)
    }

    /// The records of a label without their times.
    pub(crate) fn table(&self, name: &str) -> RedbKv {
        RedbKv {
            table: self.0.file.table(name),
            owner: self.0.clone(),
        }
    }

    /// Makes what was set and deleted so far durable, in all labels. Blocking.
    ///
    /// # Errors
    /// [`KvError`]; it is tried again later.
    pub fn flush(&self) -> Result<(), KvError> {
        self.0.file.flush()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.file.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so; what waits is written below all the same.
            let _ = writer.join();
        }
        if let Err(error) = self.file.flush() {
            tracing::warn!(%error, "the last records are not written");
        }
        // Others may have a table still, and none of them reads it again.
        self.file.forget_snapshots();
    }
}

/// One label's records.
pub(crate) struct RedbKv {
    table: Arc<Table>,
    owner: Arc<Owner>,
}

impl RedbKv {
    fn change(&self, key: &str, change: Change) -> Result<(), KvError> {
        let pending = self.table.pending.write();
        let first = pending
            .unwrap_or_else(PoisonError::into_inner)
            .put(key, change)?;
        if first {
            self.owner.file.wake();
        }
        Ok(())
    }

    fn pending<T>(&self, look: impl FnOnce(&Pending) -> T) -> T {
        let pending = self.table.pending.read();
        look(&pending.unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks into what waits, and then into the file: what is written in between is seen twice,
    /// and nothing is missed.
    fn look<T>(
        &self,
        key: &str,
        waiting: impl FnOnce(&Change) -> T,
        written: impl FnOnce(Option<&[u8]>) -> T,
    ) -> Result<T, KvError> {
        check_key(key)?;
        if let Some(answer) = self.pending(|pending| pending.get(key).map(waiting)) {
            return Ok(answer);
        }
        self.owner.file.read(&self.table, |table| {
            let Some(table) = table else {
                return Ok(written(None));
            };
            let value = table.get(key)?;
            Ok(written(value.as_ref().map(|value| value.value())))
        })
    }
}

impl RedbKv {
    /// At most `limit` records behind `after`, in the order of their keys, with what `take` makes
    /// of their values. It costs what the page costs, however many records wait.
    pub(crate) fn page<T>(
        &self,
        after: Option<&str>,
        limit: usize,
        take: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<(String, T)>, KvError> {
        let mut records = Vec::new();
        let mut after = after.map(str::to_owned);
        while records.len() < limit {
            let (changed, until) = self.pending(|pending| pending.changed(after.as_deref(), limit));
            let span = (behind(after.as_deref()).0, up_to(until.as_deref()));
            let mut page = self.written(span, limit, &changed, &take)?;
            let waiting = changed.into_iter();
            page.extend(waiting.filter_map(|(key, change)| Some((key, take(&change?)))));
            page.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
            records.extend(page);
            after = until;
            if after.is_none() {
                break;
            }
        }
        records.truncate(limit);
        Ok(records)
    }

    /// At most `limit` records of the file that did not change since.
    fn written<T>(
        &self,
        span: (Bound<&str>, Bound<&str>),
        limit: usize,
        changed: &Changes,
        take: impl Fn(&[u8]) -> T,
    ) -> Result<Vec<(String, T)>, KvError> {
        self.owner.file.read(&self.table, |table| {
            let mut records = Vec::new();
            let Some(table) = table else {
                return Ok(records);
            };
            for record in table.range::<&str>(span)? {
                if records.len() >= limit {
                    break;
                }
                let (key, value) = record?;
                if !changed.contains_key(key.value()) {
                    records.push((key.value().to_owned(), take(value.value())));
                }
            }
            Ok(records)
        })
    }
}

fn up_to(last: Option<&str>) -> Bound<&str> {
    last.map_or(Bound::Unbounded, Bound::Included)
}

impl KeyValueStore for RedbKv {
    fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        self.look(key, Clone::clone, |value| value.map(Bytes::copy_from_slice))
    }

    /// The value is bounded by who made it of a record.
    fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        check_key(key)?;
        self.change(key, Some(value))
    }

    fn delete(&self, key: &str) -> Result<(), KvError> {
        check_key(key)?;
        self.change(key, None)
    }

    fn exists(&self, key: &str) -> Result<bool, KvError> {
        self.look(key, Option::is_some, |value| value.is_some())
    }

    fn keys_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, KvError> {
        let page = self.page(after, limit, |_| ())?;
        Ok(page.into_iter().map(|(key, ())| key).collect())
    }

    fn flush(&self) -> Result<(), KvError> {
        self.owner.file.flush()
    }
}

#[cfg(test)]
mod tests;
