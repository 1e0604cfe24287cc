//! The leases that this node holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledge_core::digest::Digest;
use ledge_valkey::{Leases, TERM};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use crate::pass::{Pass, Secret};

/// What opens this node's door, by object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings(Arc<Mutex<HashMap<Digest, Secret>>>);

impl Holdings {
    /// Whether a node may have this object that shows this.
    pub(crate) fn admit(&self, digest: &Digest, shown: &str) -> bool {
        let held = self.lock();
        held.get(digest).is_some_and(|secret| secret.is(shown))
    }

    /// Holds a lease that was taken with this pass, until the holding is dropped.
    pub(crate) fn hold(&self, leases: &Leases, digest: &Digest, pass: &Pass) -> Holding {
        self.lock().insert(digest.clone(), pass.secret.clone());
        let (name, value) = (digest.to_string(), pass.value());
        let renewal = tokio::spawn(renew(leases.clone(), name, value.clone()));
        Holding {
            holdings: self.clone(),
            leases: leases.clone(),
            digest: digest.clone(),
            secret: pass.secret.clone(),
            value,
            renewal: renewal.abort_handle(),
        }
    }

    /// The table is right after every statement, so a panic elsewhere is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One lease. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Holding {
    holdings: Holdings,
    leases: Leases,
    digest: Digest,
    secret: Secret,
    value: String,
    renewal: AbortHandle,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.renewal.abort();
        let mut held = self.holdings.lock();
        // Another transfer of it may have taken it since.
        if held
            .get(&self.digest)
            .is_some_and(|secret| secret.is(self.secret.expose()))
        {
            held.remove(&self.digest);
        }
        drop(held);
        let (leases, name) = (self.leases.clone(), self.digest.to_string());
        let value = std::mem::take(&mut self.value);
        // Without a runtime the process ends, and the lease does.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = leases.give_back(&name, &value).await {
                    tracing::debug!(%error, "a lease is left to end by itself");
                }
            });
        }
    }
}

/// Until it is somebody else's. A server that is away for less than the term changes nothing.
async fn renew(leases: Leases, name: String, value: String) {
    let mut clock = tokio::time::interval(TERM / 3);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock.tick().await;
    loop {
        clock.tick().await;
        match leases.renew(&name, &value).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::debug!(digest = name, "another node has taken over a lease");
                return;
            }
            Err(error) => tracing::debug!(%error, digest = name, "a lease is not renewed"),
        }
    }
}
