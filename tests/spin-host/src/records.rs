//! Key-value stores: in memory, and in a file that is read again after a restart.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// One store.
#[derive(Debug, Default)]
pub(crate) struct Records(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    values: HashMap<String, Vec<u8>>,
    /// Every change, a line each.
    log: Option<File>,
}

/// A change. Without a value the key is gone.
#[derive(Debug, Serialize, Deserialize)]
struct Change {
    key: String,
    value: Option<Vec<u8>>,
}

impl Records {
    /// The store that the file has; the file is made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let opened = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path);
        let log = opened.with_context(|| path.display().to_string())?;
        let mut values = HashMap::new();
        for line in BufReader::new(&log).split(b'\n') {
            // What was cut off by the process's end was answered to nobody.
            let Ok(change) = serde_json::from_slice::<Change>(&line?) else {
                continue;
            };
            match change.value {
                Some(value) => values.insert(change.key, value),
                None => values.remove(&change.key),
            };
        }
        let log = Some(log);
        Ok(Self(Mutex::new(Inner { values, log })))
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.lock().values.get(key).cloned()
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.lock().values.contains_key(key)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.lock().values.keys().cloned().collect()
    }

    /// Sets a value, or removes the key.
    pub(crate) fn set(&self, key: String, value: Option<Vec<u8>>) -> Result<()> {
        let mut inner = self.lock();
        if let Some(log) = &mut inner.log {
            let change = Change {
                key: key.clone(),
                value: value.clone(),
            };
            let mut line = serde_json::to_vec(&change)?;
            line.push(b'\n');
            log.write_all(&line)?;
        }
        match value {
            Some(value) => inner.values.insert(key, value),
            None => inner.values.remove(&key),
        };
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Records;

    #[test]
    fn a_store_is_there_again_but_for_a_line_that_was_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("default");
        let records = Records::open(&path).expect("a store");
        for (key, value) in [
            ("a", Some(b"1".to_vec())),
            ("b", Some(vec![255])),
            ("a", None),
        ] {
            records.set(key.to_owned(), value).expect("a change");
        }
        drop(records);
        let mut bytes = std::fs::read(&path).expect("the file");
        bytes.extend_from_slice(b"{\"key\":\"c\",\"val");
        std::fs::write(&path, bytes).expect("the file");
        let again = Records::open(&path).expect("a store");
        assert_eq!((again.get("a"), again.get("b")), (None, Some(vec![255])));
        assert_eq!(again.keys(), ["b"]);
        assert!(again.contains("b") && !again.contains("c"));
    }
}
