//! One running transfer: what its followers see of it.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use ledge_store::Object;
use tokio::sync::watch;

use crate::error::FillError;

/// How many of an object's last bytes wait until its digest is right, so that
/// no client can take a wrong object for a whole one. One would do; a block
/// this long also keeps every object up to that size from being sent in part.
pub(crate) const HELD_BACK: u64 = 16 * 1024;

/// What the origin's header said.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The object's length, where the origin or the caller named one.
    pub(crate) size: Option<u64>,
    pub(crate) headers: Arc<HeaderMap>,
    /// The partial file, from which followers read.
    pub(crate) file: Arc<File>,
}

/// How far a transfer is.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// Waiting for its turn, or for the origin's header.
    Asking,
    /// Bytes arrive; the header is in.
    Receiving,
    /// The digest is right; the object is being made durable.
    Verified,
    /// The object is in the store.
    Stored(Object),
    /// It is over, and nothing was stored.
    Failed(FillError),
}

/// What followers wait on.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) stage: Stage,
    /// How many bytes, from the first on, are in the partial file.
    pub(crate) written: u64,
}

/// A transfer that callers may follow.
#[derive(Debug)]
pub(crate) struct Transfer {
    progress: watch::Sender<Progress>,
    head: Mutex<Option<Head>>,
}

impl Transfer {
    pub(crate) fn new() -> Self {
        let (progress, _) = watch::channel(Progress {
            stage: Stage::Asking,
            written: 0,
        });
        Self {
            progress,
            head: Mutex::new(None),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// How many follow it, or wait for its header.
    pub(crate) fn followers(&self) -> usize {
        self.progress.receiver_count()
    }

    /// The header, once it is in.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The origin's header is in: followers may answer.
    pub(crate) fn begin(&self, head: Head) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
        self.enter(Stage::Receiving);
    }

    pub(crate) fn advance(&self, written: u64) {
        self.progress
            .send_modify(|progress| progress.written = written);
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.progress.send_modify(|progress| progress.stage = stage);
    }
}

impl Progress {
    /// How many bytes, from the first on, a reader of the whole object may have.
    pub(crate) fn released(&self, size: Option<u64>) -> u64 {
        match (&self.stage, size) {
            (Stage::Verified | Stage::Stored(_), _) => self.written,
            (_, Some(size)) => self.written.min(size.saturating_sub(HELD_BACK)),
            (_, None) => self.written.saturating_sub(HELD_BACK),
        }
    }

    pub(crate) fn is_verified(&self) -> bool {
        matches!(self.stage, Stage::Verified | Stage::Stored(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_wait_for_the_digest() {
        let at = |stage, written| Progress { stage, written };
        let size = Some(1_000_000);
        let held = 1_000_000 - HELD_BACK;
        assert_eq!(at(Stage::Receiving, 500).released(size), 500);
        assert_eq!(at(Stage::Receiving, 1_000_000).released(size), held);
        assert_eq!(at(Stage::Verified, 1_000_000).released(size), 1_000_000);
        assert_eq!(at(Stage::Receiving, 100).released(Some(100)), 0);
        assert_eq!(at(Stage::Receiving, HELD_BACK + 7).released(None), 7);
    }
}
