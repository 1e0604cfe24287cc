//! Records in memory, bounded: what must never reach a disk.

use bytes::Bytes;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::{KeyValueStore, KvError, check_key, check_record};

/// What a record costs besides its bytes: the cache's own node, rounded up.
const OVERHEAD: usize = 128;

/// Records that end with the process. When they take more than their bound, those that were not
/// used for longest are forgotten.
pub struct MemoryKv(Cache<String, Bytes>);

impl MemoryKv {
    /// Holds about `capacity` bytes of keys and values.
    pub fn new(capacity: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &String, value: &Bytes| weight(key, value))
            // The cache's own default may turn a new record away in favour of popular ones.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self(cache)
    }
}

fn weight(key: &str, value: &Bytes) -> u32 {
    u32::try_from(key.len() + value.len() + OVERHEAD).unwrap_or(u32::MAX)
}

impl KeyValueStore for MemoryKv {
    fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        check_key(key)?;
        Ok(self.0.get(key))
    }

    fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        check_record(key, &value)?;
        // A value may be a small part of a large buffer, which would be kept with it.
        self.0
            .insert(key.to_owned(), Bytes::copy_from_slice(&value));
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), KvError> {
        check_key(key)?;
        self.0.invalidate(key);
        Ok(())
    }

    fn exists(&self, key: &str) -> Result<bool, KvError> {
        check_key(key)?;
        Ok(self.0.contains_key(key))
    }

    fn keys_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, KvError> {
        let keys = self.0.iter().map(|(key, _)| key.as_ref().clone());
        let mut keys: Vec<String> = keys
            .filter(|key| after.is_none_or(|after| key.as_str() > after))
            .collect();
        keys.sort_unstable();
        keys.truncate(limit);
        Ok(keys)
    }

    /// There is nothing to do.
    fn flush(&self) -> Result<(), KvError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_bounded_and_keeps_the_newest() {
        let store = MemoryKv::new(10_000);
        for number in 0..1000 {
            let value = Bytes::from(vec![0; 500]);
            store.set(&format!("{number}"), value).expect("set");
            store.0.run_pending_tasks();
        }
        assert!(store.keys().expect("keys").len() <= 20);
        assert!(store.exists("999").expect("answered"));
        assert!(!store.exists("0").expect("answered"));
    }
}
