//! The port through which a component's records are reached, beside this node or elsewhere.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{KeyValue, KvError, PAGE};

/// A store of records, which may be far: what a component opens by one label.
///
/// What was set is seen by every later call of this node. It is for records that can be learned again:
/// durability is the adapter's affair.
#[async_trait]
pub trait Records: Send + Sync {
    /// The value of `key`, if there is one.
    ///
    /// # Errors
    /// [`KvError`]
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError>;

    /// Makes `value` the value of `key`, whatever it was.
    ///
    /// # Errors
    /// [`KvError`]
    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError>;

    /// Forgets `key`; it is no error if there was none.
    ///
    /// # Errors
    /// [`KvError`]
    async fn delete(&self, key: &str) -> Result<(), KvError>;

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// [`KvError`]
    async fn exists(&self, key: &str) -> Result<bool, KvError>;

    /// At most `limit` keys, in the order of their bytes; those behind `after` if that is given.
    /// Ask again with the last one for the next page.
    ///
    /// # Errors
    /// [`KvError`]; [`KvError::Unlisted`] where they are not listed.
    async fn keys_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, KvError>;

    /// All keys, in the order of their bytes. They are looked up page by page, so changes made
    /// meanwhile may be in it or not.
    ///
    /// # Errors
    /// As of [`Self::keys_after`].
    async fn keys(&self) -> Result<Vec<String>, KvError> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let page = self
                .keys_after(keys.last().map(String::as_str), PAGE)
                .await?;
            if page.is_empty() {
                return Ok(keys);
            }
            keys.extend(page);
        }
    }
}

/// Records beside this node, behind the port.
#[must_use]
pub fn local(store: KeyValue) -> Arc<dyn Records> {
    Arc::new(Local(store))
}

/// It answers at once.
struct Local(KeyValue);

#[async_trait]
impl Records for Local {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        self.0.get(key)
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        self.0.set(key, value)
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.0.delete(key)
    }

    async fn exists(&self, key: &str) -> Result<bool, KvError> {
        self.0.exists(key)
    }

    async fn keys_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, KvError> {
        self.0.keys_after(after, limit)
    }
}
