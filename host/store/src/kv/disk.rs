//! Records in one file on the local disk: a `redb` database with a table for each label.
//!
//! Changes are gathered in memory and written together, by a thread, within a second and when the
//! file is closed. So no caller waits for the disk, and a pull costs no fsync for its records. A
//! process that is killed loses what it set in its last second: records that are learned again.
//! What is in the file is always consistent; a batch is there whole or not at all.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use redb::Builder;

use super::file::{File, Opener, Table};
use super::pending::{Change, Pending, behind};
use super::{KeyValue, KeyValueStore, KvError, OpenKvError, check_key, check_record};
use crate::directory;

/// The database's own cache of pages, 16 MiB (its default is 1 GiB): some 60,000 records, the tags
/// and grants of several thousand images. What does not fit is in the kernel's page cache.
const PAGE_CACHE: usize = 16 << 20;

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
        Arc::new(RedbKv {
            table: self.0.file.table(name),
            owner: self.0.clone(),
        })
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
    }
}

struct RedbKv {
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
        self.owner.file.read(&self.table.name, |table| {
            let Some(table) = table else {
                return Ok(written(None));
            };
            let value = table.get(key)?;
            Ok(written(value.as_ref().map(|value| value.value())))
        })
    }
}

impl KeyValueStore for RedbKv {
    fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        self.look(key, Clone::clone, |value| value.map(Bytes::copy_from_slice))
    }

    fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        check_record(key, &value)?;
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
        let changed = self.pending(|pending| pending.changed(after));
        let mut keys = Vec::new();
        self.owner.file.read(&self.table.name, |table| {
            let Some(table) = table else { return Ok(()) };
            for record in table.range::<&str>(behind(after))? {
                if keys.len() >= limit {
                    break;
                }
                let (key, _) = record?;
                if !changed.contains_key(key.value()) {
                    keys.push(key.value().to_owned());
                }
            }
            Ok(())
        })?;
        // The first of the file's and all that wait: the first of both are among them.
        let waiting = changed.into_iter().filter(|(_, exists)| *exists);
        keys.extend(waiting.map(|(key, _)| key));
        keys.sort_unstable();
        keys.truncate(limit);
        Ok(keys)
    }

    fn flush(&self) -> Result<(), KvError> {
        self.owner.file.flush()
    }
}

#[cfg(test)]
mod tests;
