//! Where a transfer's bytes go: what an earlier one left, or a new file, and room for it.

use ledge_core::digest::Digest;
use ledge_store::{Keeping, Object, Partial, StoreError};
use tokio::task::spawn_blocking;

use crate::error::FillError;
use crate::transfers::Inner;
use crate::writer::take_up;
use ledge_core::hash::Hasher;

/// What an earlier transfer left, as far as it is right.
pub(crate) struct Left {
    pub(crate) partial: Option<Partial>,
    /// Of the first `hashed` bytes, which are in the file.
    pub(crate) hasher: Hasher,
    pub(crate) hashed: u64,
}

/// A file, for which no room is promised yet.
pub(crate) struct Site(Partial);

impl Left {
    /// Looks for it, and hashes it. Whatever goes wrong, a new file does as well.
    pub(crate) async fn find(inner: &Inner, digest: &Digest) -> Self {
        let (store, of) = (inner.store.clone(), digest.clone());
        if !store.may_resume(digest) {
            return Self::none(digest);
        }
        let left = blocking(move || match store.resume(&of)? {
            Some(left) => take_up(left.partial, &left.marks, Hasher::new(of.algorithm())).map(Some),
            None => Ok(None),
        });
        let left = left.await.unwrap_or_else(|error| {
            tracing::warn!(%digest, %error, "nothing can be taken up");
            None
        });
        match left {
            Some((partial, hasher, hashed)) if hashed > 0 => {
                inner.counters.taken_up.one();
                tracing::info!(%digest, at = hashed, "a transfer is taken up where it stopped");
                Self {
                    partial: Some(partial),
                    hasher,
                    hashed,
                }
            }
            _ => Self::none(digest),
        }
    }
}

impl Left {
    /// Stores it, if nothing is missing: the last transfer was ended between its last byte
    /// and its commit. Else it is given back; also if the disk does not take it.
    pub(crate) async fn finish(self, digest: &Digest, keep: Keeping) -> Result<Object, Self> {
        match self.partial {
            Some(partial) if self.hasher.digest() == *digest => {
                let (of, size) = (digest.clone(), self.hashed);
                let commit = move || partial.commit(&of, size, keep);
                let committed = blocking(commit).await;
                committed.map_err(|error| {
                    tracing::warn!(%digest, %error, "what was there cannot be stored");
                    Self::none(digest)
                })
            }
            partial => Err(Self { partial, ..self }),
        }
    }

    fn none(digest: &Digest) -> Self {
        Self {
            partial: None,
            hasher: Hasher::new(digest.algorithm()),
            hashed: 0,
        }
    }
}

impl Site {
    /// On what is left, or on a new file.
    pub(crate) async fn choose(
        inner: &Inner,
        digest: &Digest,
        left: Option<Partial>,
    ) -> Result<Self, FillError> {
        let (store, digest) = (inner.store.clone(), digest.clone());
        let chosen = blocking(move || left.map_or_else(|| store.begin(&digest), Ok));
        chosen.await.map(Self)
    }

    /// The file, with room for `need` more bytes: others are evicted for it. Without it, what there was
    /// is left to the next try.
    pub(crate) async fn reserve(self, need: u64) -> Result<Partial, FillError> {
        let Self(partial) = self;
        // Clients wait for their first byte: no thread is changed for what takes some microseconds.
        if matches!(partial.reserve_free(need), Ok(true)) {
            return Ok(partial);
        }
        let reserved = blocking(move || match partial.reserve(need) {
            Ok(()) => Ok(partial),
            Err(error) => {
                partial.keep();
                Err(error)
            }
        });
        reserved.await
    }

    /// Leaves what there was to the next try; a file with nothing in it is removed.
    pub(crate) async fn leave(self) {
        let Self(partial) = self;
        let left = blocking(move || {
            partial.keep();
            Ok(())
        });
        if let Err(error) = left.await {
            tracing::debug!(%error, "nothing is left to the next try");
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, FillError> {
    let done = spawn_blocking(work).await;
    let done = done.map_err(|error| FillError::Store(error.to_string()))?;
    Ok(done?)
}
