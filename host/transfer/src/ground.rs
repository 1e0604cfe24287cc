//! Where a transfer's bytes go: what an earlier one left, or a new file, and room for it.

use ledge_core::digest::Digest;
use ledge_store::{Object, Partial, StoreError};
use tokio::task::spawn_blocking;

use crate::error::FillError;
use crate::hash::Hasher;
use crate::room::Reserved;
use crate::transfers::Inner;
use crate::writer::take_up;

/// What an earlier transfer left, as far as it is right.
pub(crate) struct Left {
    pub(crate) partial: Option<Partial>,
    /// Of the first `hashed` bytes, which are in the file.
    pub(crate) hasher: Hasher,
    pub(crate) hashed: u64,
}

/// A file, and how much its disk still takes.
pub(crate) struct Site {
    partial: Partial,
    free: u64,
}

impl Left {
    /// Looks for it, and hashes it. Whatever goes wrong, a new file does as well.
    pub(crate) async fn find(inner: &Inner, digest: &Digest) -> Self {
        let (store, of) = (inner.store.clone(), digest.clone());
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
    pub(crate) async fn finish(self, digest: &Digest) -> Result<Object, Self> {
        match self.partial {
            Some(partial) if self.hasher.digest() == *digest => {
                let (of, size) = (digest.clone(), self.hashed);
                let committed = blocking(move || partial.commit(&of, size)).await;
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
        let chosen = blocking(move || {
            let free = store.free_space()?;
            let partial = left.map_or_else(|| store.begin(&digest), Ok)?;
            Ok(Self { partial, free })
        });
        chosen.await
    }

    /// The file, with a promise of `need` more bytes. Without it, what there was is left to
    /// the next try.
    pub(crate) async fn reserve(
        self,
        inner: &Inner,
        need: u64,
    ) -> Result<(Partial, Reserved), FillError> {
        match inner.room.reserve(self.free, need) {
            Some(reserved) => Ok((self.partial, reserved)),
            None => {
                self.leave().await;
                Err(FillError::NoSpace)
            }
        }
    }

    /// Leaves what there was to the next try; a file with nothing in it is removed.
    pub(crate) async fn leave(self) {
        let left = blocking(move || {
            self.partial.keep();
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
