//! The far side: an origin and the links to it, on a thread of their own, so that a crowd of
//! clients does not keep a link from its pace.

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

use crate::link::Speed;
use crate::origin::{Auth, Origin};
use crate::relay::Relay;

/// An origin far away.
#[derive(Debug)]
pub struct Far {
    /// Fill it, and count its requests.
    pub origin: Origin,
    runtime: Background,
}

/// A runtime that may end inside of another one, where waiting for it would block.
#[derive(Debug)]
struct Background(Option<Runtime>);

impl Background {
    async fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let runtime = self.0.as_ref().context("the far side has ended")?;
        runtime.spawn(work).await?
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Far {
    /// Starts an empty origin. Its base path asks for a password, for the sake of distribution 2.8:
    /// of an origin that never asks it finds out so again before every request, one after the other.
    ///
    /// # Errors
    /// If there is no thread or no port to be had.
    pub async fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("far")
            .enable_all()
            .build()
            .context("starting the far side")?;
        let runtime = Background(Some(runtime));
        let origin = runtime.spawn(Origin::start()).await?;
        origin.authenticate(Auth::Ping);
        Ok(Self { origin, runtime })
    }

    /// A new link to it, with counts of its own.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn link(&self, speed: Speed) -> Result<Relay> {
        self.runtime
            .spawn(Relay::start(self.origin.address(), speed))
            .await
    }
}
