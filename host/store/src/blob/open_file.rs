//! Files that are open: what has no name any more takes room until nobody reads it.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledge_core::digest::Digest;

/// An object's open file, finished or not. Whoever has it reads on when the object is removed.
#[derive(Debug)]
pub struct OpenFile {
    file: Arc<File>,
    /// Dropped after the file is closed; none of a scratch file, which nobody else reads.
    _reading: Option<Reading>,
}

impl OpenFile {
    pub(super) fn new(file: impl Into<Arc<File>>, reading: Option<Reading>) -> Self {
        Self {
            file: file.into(),
            _reading: reading,
        }
    }
}

impl Deref for OpenFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

/// The digests whose files are open.
#[derive(Debug, Default)]
pub(crate) struct Readers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: HashMap<Digest, Files>,
    /// Of all of them.
    held: u64,
}

#[derive(Debug, Default)]
struct Files {
    /// How many are open.
    count: usize,
    /// Bytes of those that have no name any more.
    held: u64,
}

/// Says that a file of a digest is open, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reading {
    readers: Arc<Readers>,
    digest: Digest,
}

impl Readers {
    /// Said before the file is opened: whoever removes it sees everybody who can have it.
    pub(crate) fn enter(self: &Arc<Self>, digest: &Digest) -> Reading {
        self.state().open.entry(digest.clone()).or_default().count += 1;
        Reading {
            readers: self.clone(),
            digest: digest.clone(),
        }
    }

    pub(crate) fn is_open(&self, digest: &Digest) -> bool {
        self.state().open.contains_key(digest)
    }

    /// A file of this digest that took `bytes` has no name any more.
    pub(crate) fn unlinked(&self, digest: &Digest, bytes: u64) {
        let mut state = self.state();
        if let Some(files) = state.open.get_mut(digest) {
            files.held += bytes;
            state.held += bytes;
        }
    }

    /// Bytes of files that have no name any more and are open.
    pub(crate) fn held(&self) -> u64 {
        self.state().held
    }

    /// The numbers are right after every statement, so a panic elsewhere is no reason to stop.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.readers.state();
        if let Some(files) = state.open.get_mut(&self.digest) {
            files.count -= 1;
            if files.count == 0 {
                let held = files.held;
                state.open.remove(&self.digest);
                state.held -= held;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unlinked_is_held_until_the_last_one_closes_it() {
        let readers = Arc::new(Readers::default());
        let (one, other) = (Digest::from_sha256(&[1; 32]), Digest::from_sha256(&[2; 32]));
        readers.unlinked(&one, 100);
        assert_eq!(readers.held(), 0, "nobody reads it");
        let (first, second) = (readers.enter(&one), readers.enter(&one));
        let third = readers.enter(&other);
        readers.unlinked(&one, 100);
        readers.unlinked(&other, 7);
        assert_eq!(readers.held(), 107);
        drop(first);
        assert_eq!(readers.held(), 107);
        assert!(readers.is_open(&one));
        drop(second);
        assert_eq!(readers.held(), 7);
        assert!(!readers.is_open(&one));
        drop(third);
        assert_eq!(readers.held(), 0);
    }
}
