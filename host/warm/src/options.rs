//! How a mirror is warmed.

use std::num::NonZeroUsize;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::mirror::Mirror;
use crate::platform::Platforms;

/// How a mirror is warmed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is.
    pub mirror: Mirror,
    /// Which platforms of an index are pulled.
    pub platforms: Platforms,
    /// Requests at once.
    pub jobs: NonZeroUsize,
    /// Only read the manifests, to say what would be pulled.
    pub dry_run: bool,
    /// How what failed is tried again.
    pub retries: Retries,
}

/// How what failed is tried again. Each wait doubles the last one, with jitter.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// How long the second try waits, if the mirror does not say it.
    pub first: Duration,
    /// The longest wait between two tries, and the longest `Retry-After` that is obeyed.
    pub longest: Duration,
    /// Tries after the first.
    pub more: usize,
}

impl Default for Retries {
    /// About a minute of waiting in all: more than the 30 s that a mirror takes to be restarted after
    /// a drain. Nobody waits for an image that is warmed.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            more: 5,
        }
    }
}

impl Retries {
    /// The waits between tries, one after the other.
    pub(crate) fn waits(self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_max_times(self.more)
            .with_jitter()
            .build()
    }
}
