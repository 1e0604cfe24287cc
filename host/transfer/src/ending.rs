//! The end of a transfer: counted, told, and taken off the table.

use std::sync::Arc;

use ledge_core::digest::Digest;

use crate::error::FillError;
use crate::supply::Supply;
use crate::transfer::{Stage, Transfer};
use crate::transfers::Inner;

/// Ends a transfer, whatever comes: one that nobody runs any more would be joined for ever.
pub(crate) struct Ending {
    inner: Arc<Inner>,
    supply: Arc<Supply>,
    digest: Digest,
    transfer: Arc<Transfer>,
    has_ended: bool,
}

impl Ending {
    /// Of the transfer of this digest.
    pub(crate) fn of(
        inner: Arc<Inner>,
        supply: Arc<Supply>,
        digest: Digest,
        transfer: Arc<Transfer>,
    ) -> Self {
        Self {
            inner,
            supply,
            digest,
            transfer,
            has_ended: false,
        }
    }

    /// Ends it so.
    pub(crate) fn with(mut self, stage: Stage) {
        match &stage {
            Stage::Stored(object) => {
                tracing::debug!(digest = %self.digest, size = object.size(), "transfer stored");
                self.supply.stored(object);
            }
            Stage::Failed(error) => self.failed(error),
            _ => self.inner.counters.failed.one(),
        }
        self.end(stage);
    }

    fn failed(&self, error: &FillError) {
        let digest = &self.digest;
        self.inner.counters.failed.one();
        match error {
            FillError::Abandoned => {
                tracing::info!(%digest, "transfer stopped, every client left");
            }
            FillError::Yielded => {
                self.inner.counters.yielded.one();
                tracing::debug!(%digest, "prefetch stopped, a client needs its turn");
            }
            FillError::Mismatch(_) => {
                let from = self.supply.used();
                tracing::error!(%digest, %error, ?from, "transfer failed, nothing stored");
                self.inner.suspect(digest, &self.supply);
            }
            error => tracing::warn!(%digest, %error, "transfer failed, nothing stored"),
        }
    }

    fn end(&mut self, stage: Stage) {
        self.has_ended = true;
        self.inner.end(&self.digest, &self.transfer, stage);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.has_ended {
            let error = FillError::Store("the transfer was dropped".to_owned());
            self.end(Stage::Failed(error));
        }
    }
}
