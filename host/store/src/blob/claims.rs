//! One partial a digest: who writes one has claimed it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledge_core::digest::Digest;

/// The digests whose partials live in this process. The store's lock keeps other processes out.
#[derive(Default)]
pub(crate) struct Claims(Shared);

type Shared = Arc<Mutex<HashSet<Digest>>>;

/// The right to the files of one digest in `partial/`, until it is dropped.
pub(super) struct Claim {
    all: Shared,
    digest: Digest,
}

impl Claims {
    /// None while somebody else has it.
    pub(super) fn take(&self, digest: &Digest) -> Option<Claim> {
        lock(&self.0).insert(digest.clone()).then(|| Claim {
            all: self.0.clone(),
            digest: digest.clone(),
        })
    }

    /// Does `work` on the files of a digest that nobody has; none if somebody does. Who wants
    /// the claim meanwhile waits, and is not told that somebody has it.
    pub(crate) fn unless_taken<T>(&self, digest: &Digest, work: impl FnOnce() -> T) -> Option<T> {
        let all = lock(&self.0);
        (!all.contains(digest)).then(work)
    }
}

impl Claim {
    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.digest);
    }
}

/// The set is whole after every statement, so a panic elsewhere is no reason to refuse.
fn lock(all: &Shared) -> MutexGuard<'_, HashSet<Digest>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}
