//! The nodes, as one of them sees them.

use std::fmt;
use std::sync::Arc;

use http::{Request, Response};
use ledge_bucket::{Bucket, Keeper};
use ledge_core::digest::Digest;
use ledge_store::BlobStore;
use ledge_transfer::{Nearby, NearbyObject, Transfers};
use ledge_valkey::{Away, Leases};
use url::Url;

use crate::holding::Holdings;
use crate::object::Shared;
use crate::peer::Peers;
use crate::share::{self, SharedBody};

/// What nodes share.
#[derive(Debug)]
pub struct Options {
    /// Objects, if any are shared.
    pub bucket: Option<Bucket>,
    /// Leases, and where other nodes find this one; if transfers are shared.
    pub leases: Option<(Leases, Url)>,
}

/// One node's view of them. Clones share it.
#[derive(Clone)]
pub struct Fleet(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) keeping: Option<Keeping>,
    pub(crate) sharing: Option<Sharing>,
    pub(crate) peers: Peers,
}

/// What it takes to share objects.
pub(crate) struct Keeping {
    pub(crate) bucket: Bucket,
    pub(crate) keeper: Keeper,
    pub(crate) away: Away,
}

/// What it takes to share transfers.
pub(crate) struct Sharing {
    pub(crate) leases: Leases,
    /// Where this node listens for others.
    pub(crate) here: Url,
    pub(crate) holdings: Holdings,
    pub(crate) away: Away,
}

impl Fleet {
    /// This node's objects are those of `store`. Must be called inside of a Tokio runtime.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(options: Options, store: &BlobStore) -> Result<Self, reqwest::Error> {
        // Ours is the only provider of cryptography; whoever was first has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let keeping = options.bucket.map(|bucket| Keeping {
            keeper: Keeper::start(bucket.clone(), store.clone()),
            bucket,
            away: Away::new(),
        });
        let sharing = options.leases.map(|(leases, here)| Sharing {
            leases,
            here,
            holdings: Holdings::default(),
            away: Away::new(),
        });
        Ok(Self(Arc::new(Inner {
            keeping,
            sharing,
            peers: Peers::new()?,
        })))
    }

    /// Another node's answer, if the request is one's; from these transfers.
    pub async fn answer<B>(
        &self,
        transfers: &Transfers,
        request: &Request<B>,
    ) -> Option<Response<SharedBody>> {
        let sharing = self.0.sharing.as_ref()?;
        if !share::is_for_nodes(request) {
            return None;
        }
        Some(share::answer(transfers, &sharing.holdings, request).await)
    }

    /// Returns when the bucket has what it was to get, or that was given up.
    pub async fn idle(&self) {
        if let Some(keeping) = &self.0.keeping {
            keeping.keeper.idle().await;
        }
    }
}

impl Nearby for Fleet {
    fn object(&self, digest: &Digest) -> Arc<dyn NearbyObject> {
        Arc::new(Shared::new(self.0.clone(), digest))
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field(
                "bucket",
                &self.0.keeping.as_ref().map(|keeping| &keeping.bucket),
            )
            .field(
                "here",
                &self.0.sharing.as_ref().map(|sharing| sharing.here.as_str()),
            )
            .finish()
    }
}
