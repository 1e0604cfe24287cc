//! Why something was not done.

use ledge_store::{KvError, StoreError};

use crate::event::Gone;

/// Why something was not done to a store.
#[derive(Debug, thiserror::Error)]
pub enum TendError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The records failed.
    #[error(transparent)]
    Records(#[from] KvError),
    /// Nothing says what is to go.
    #[error("name what is to go: images, --repository, --digest, --upstream or --unused")]
    Everything,
    /// Another command works on the store.
    #[error("another command works on this store; try again when it is done")]
    Busy,
    /// Whoever watched has gone.
    #[error("it was stopped before it was done")]
    Gone,
}

impl From<Gone> for TendError {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl TendError {
    /// Whether what was asked for is wrong, rather than the store.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Everything)
    }
}
