//! Room for several objects, promised before the first of them comes.

use std::sync::{Arc, Mutex};

use super::space::lock;
use crate::blob::{Inner, StoreError};

/// What a small object takes beside its bytes: the rest of its last page.
const PAGE: u64 = 4096;

/// Room that is promised and not taken; it is free again when this is dropped.
pub struct Room {
    store: Arc<Inner>,
    left: Mutex<u64>,
}

impl Room {
    pub(crate) fn promised(store: Arc<Inner>, bytes: u64) -> Result<Self, StoreError> {
        store.promise(bytes)?;
        Ok(Self {
            store,
            left: Mutex::new(bytes),
        })
    }

    /// Gives back what an object of so many bytes takes: it is about to ask for that itself.
    pub fn give(&self, bytes: u64) {
        let mut left = lock(&self.left);
        let given = bytes.saturating_add(PAGE).min(*left);
        *left -= given;
        self.store.space.books().release(given);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let left = *lock(&self.left);
        self.store.space.books().release(left);
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").finish_non_exhaustive()
    }
}
