//! Debian's `docker-registry` (distribution 2.8) as a pull-through cache.

use std::net::SocketAddr;

use anyhow::Result;

use crate::registry::{Access, Registry};

/// A running pull-through cache.
#[derive(Debug)]
pub struct Distribution(Registry);

impl Distribution {
    /// Starts one with an empty store. It asks the upstream whether it wants passwords.
    ///
    /// # Errors
    /// If it is not installed, does not start, or the upstream is not there.
    pub(super) async fn start(upstream: SocketAddr) -> Result<Self> {
        Registry::start_mirror(Access::Open, upstream)
            .await
            .map(Self)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    pub(super) fn id(&self) -> i32 {
        self.0.id()
    }
}
