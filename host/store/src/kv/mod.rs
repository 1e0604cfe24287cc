//! Records by key: what changes, or is about names.

mod aged;
mod disk;
mod error;
mod file;
mod memory;
mod pending;
mod records;

pub use aged::{Kept, RecordBounds};
pub(crate) use disk::RedbKv;
pub use disk::{RedbFile, open_redb};
pub use error::{KvError, OpenKvError};
pub use memory::MemoryKv;
pub use records::{Records, local};

use std::sync::Arc;

use bytes::Bytes;

/// The longest key, in bytes. Keys are made of an upstream's name, a repository's (at most 255,
/// OCI distribution specification 1.1, "Pulling manifests") and a digest's or tag's (at most 135).
pub const MAX_KEY: usize = 1024;

/// The longest value, in bytes: 1 MiB. Ledge's own records have some hundred; the bound keeps one
/// value from being a noticeable part of memory.
pub const MAX_VALUE: usize = 1 << 20;

/// How many keys [`KeyValueStore::keys`] looks up at once: so few that no change waits long.
const PAGE: usize = 1024;

/// A store of records that several owners share.
pub type KeyValue = Arc<dyn KeyValueStore>;

/// Records beside this node. One store is what a component opens by one label.
///
/// No method waits for a disk to write: `set` and `delete` are seen by every later call at once,
/// and are durable, where the adapter has a disk, within a second or when [`Self::flush`] returns.
/// So they are for records that can be learned again, or are flushed before somebody is told.
pub trait KeyValueStore: Send + Sync {
    /// The value of `key`, if there is one.
    ///
    /// # Errors
    /// [`KvError`]
    fn get(&self, key: &str) -> Result<Option<Bytes>, KvError>;

    /// Makes `value` the value of `key`, whatever it was.
    ///
    /// # Errors
    /// [`KvError`]; the old value stays.
    fn set(&self, key: &str, value: Bytes) -> Result<(), KvError>;

    /// Forgets `key`; it is no error if there was none.
    ///
    /// # Errors
    /// [`KvError`]; the old value stays.
    fn delete(&self, key: &str) -> Result<(), KvError>;

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// [`KvError`]
    fn exists(&self, key: &str) -> Result<bool, KvError>;

    /// At most `limit` keys, in the order of their bytes; those behind `after` if that is given.
    /// Ask again with the last one for the next page.
    ///
    /// # Errors
    /// [`KvError`]
    fn keys_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, KvError>;

    /// All keys, in the order of their bytes. They are looked up page by page, so changes made
    /// meanwhile may be in it or not.
    ///
    /// # Errors
    /// [`KvError`]
    fn keys(&self) -> Result<Vec<String>, KvError> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let page = self.keys_after(keys.last().map(String::as_str), PAGE)?;
            if page.is_empty() {
                return Ok(keys);
            }
            keys.extend(page);
        }
    }

    /// Makes what was set and deleted so far durable. Blocking.
    ///
    /// # Errors
    /// [`KvError`]; it is tried again later.
    fn flush(&self) -> Result<(), KvError>;
}

/// Whether a key may be used.
///
/// # Errors
/// [`KvError::KeyTooLong`]
pub fn check_key(key: &str) -> Result<(), KvError> {
    if key.len() > MAX_KEY {
        let length = key.len();
        return Err(KvError::KeyTooLong { length });
    }
    Ok(())
}

/// Whether a record may be set.
///
/// # Errors
/// [`KvError::KeyTooLong`], [`KvError::ValueTooLong`]
pub fn check_record(key: &str, value: &Bytes) -> Result<(), KvError> {
    check_key(key)?;
    if value.len() > MAX_VALUE {
        let length = value.len();
        return Err(KvError::ValueTooLong { length });
    }
    Ok(())
}
