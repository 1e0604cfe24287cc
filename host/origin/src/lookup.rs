//! From names to addresses.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// The addresses of a host, or why there are none.
pub type Lookups = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Resolves names.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `host`, best first. Whether they may be connected to is
    /// decided by the caller.
    fn lookup(&self, host: &str) -> Lookups;
}

/// The system's resolver (`getaddrinfo`): hosts file, DNS and whatever else it
/// is set up to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: &str) -> Lookups {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
