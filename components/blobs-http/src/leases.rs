//! Leases in the key-value store: who stores an object (`lease` says what that is worth).

use crate::bindings::spin::key_value::key_value::{Error, Store};
use crate::context::now;
use crate::lease::{Lease, Told};
use crate::settings::Settings;
use crate::upload;
use ledge_core::digest::Digest;
use ledge_core::key;
use std::time::SystemTime;

/// The duty to store an object. It ends with [`Claim::done`] or [`Claim::give_back`]; one that is dropped
/// ends by itself.
pub(crate) struct Claim {
    /// None where there are no leases, or their store fails: then everybody stores.
    store: Option<Store>,
    key: String,
    lease: Lease,
}

/// Takes the lease of an object; `None` if somebody else has it. What a holder that died left in
/// the bucket is removed.
pub(crate) async fn claim(settings: &Settings, digest: &Digest) -> Option<Claim> {
    let mut claim = Claim {
        store: None,
        key: key::storing(digest),
        lease: Lease::new(unique(), now()),
    };
    let Some(label) = &settings.leases else {
        return Some(claim);
    };
    match take(&mut claim, label).await {
        Ok(Taken::Held) => return None,
        Ok(Taken::Mine { left }) => {
            if let Some(id) = left {
                upload::forget(settings, digest, &id).await;
            }
        }
        Err(error) => log(&error),
    }
    Some(claim)
}

/// Whether somebody else has the lease. Not as far as anybody can tell while its store fails.
pub(crate) async fn is_held(settings: &Settings, digest: &Digest) -> bool {
    let Some(label) = &settings.leases else {
        return false;
    };
    let known = async {
        let store = Store::open(label.clone()).await?;
        store.get(key::storing(digest)).await
    };
    match known.await {
        Ok(value) => {
            let known = value.as_deref().and_then(Lease::decode);
            known.is_some_and(|known| known.told(now()) == Told::Held)
        }
        Err(error) => {
            log(&error);
            false
        }
    }
}

/// Text like no other, for what is done now.
pub(crate) fn unique() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // Two that are made in the same nanosecond write the same verified bytes to the same place.
    format!("{:x}", since.map_or(0, |age| age.as_nanos()))
}

enum Taken {
    Held,
    Mine { left: Option<String> },
}

async fn take(claim: &mut Claim, label: &str) -> Result<Taken, Error> {
    let store = Store::open(label.to_owned()).await?;
    let known = store.get(claim.key.clone()).await?;
    let known = known.as_deref().and_then(Lease::decode);
    let left = match known.as_ref().map_or(Told::Free, |known| known.told(now())) {
        Told::Held => return Ok(Taken::Held),
        Told::Free => None,
        Told::Left(id) => Some(id.to_owned()),
    };
    if let Some(known) = &known {
        claim.lease.learn(known, now());
    }
    store.set(claim.key.clone(), claim.lease.encode()).await?;
    claim.store = Some(store);
    Ok(Taken::Mine { left })
}

impl Claim {
    /// What this holder would leave behind.
    pub(crate) async fn note(&mut self, upload: &str) {
        self.lease.begun(upload);
        self.lease.renew(now());
        self.write().await;
    }

    /// Keeps the lease, if it is time to.
    pub(crate) async fn renew(&mut self) {
        if self.store.is_some() && self.lease.is_due(now()) {
            self.lease.renew(now());
            self.write().await;
        }
    }

    /// Origins that are to be asked last.
    pub(crate) fn suspects(&self) -> Vec<String> {
        self.lease.suspects()
    }

    /// The object is stored.
    pub(crate) async fn done(self) {
        self.end(None).await;
    }

    /// The object is not stored, and may be by somebody else.
    pub(crate) async fn give_back(self) {
        let left = self.lease.clone().given_back(now());
        self.end(left).await;
    }

    /// The same, and this origin sent other bytes.
    pub(crate) async fn suspect(mut self, origin: String) {
        self.lease.blame(origin, now());
        self.give_back().await;
    }

    /// Leaves this in the lease's place, unless somebody else has it by now.
    async fn end(self, left: Option<Lease>) {
        let Some(store) = &self.store else { return };
        let done = async {
            let known = store.get(self.key.clone()).await?;
            let known = known.as_deref().and_then(Lease::decode);
            if known.is_some_and(|known| known.holder() == self.lease.holder()) {
                match left {
                    Some(left) => store.set(self.key.clone(), left.encode()).await?,
                    None => store.delete(self.key.clone()).await?,
                }
            }
            Ok(())
        };
        if let Err(error) = done.await {
            log(&error);
        }
    }

    async fn write(&self) {
        if let Some(store) = &self.store
            && let Err(error) = store.set(self.key.clone(), self.lease.encode()).await
        {
            log(&error);
        }
    }
}

fn log(error: &Error) {
    eprintln!("the store of leases failed: {error:?}");
}
