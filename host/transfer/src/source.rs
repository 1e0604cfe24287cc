//! Where a transfer gets its bytes.

use std::fmt;
use std::sync::Arc;

use http::Request;

use crate::renew::Renew;

/// Bodiless GETs for the same bytes, best first, and who makes them anew.
#[derive(Default)]
pub struct Source {
    /// One request an endpoint.
    pub origins: Vec<Request<()>>,
    /// Asked for a fresh request when credentials or a URL expire in mid-transfer.
    pub renew: Option<Arc<dyn Renew>>,
}

/// Names the hosts; a request's fields are secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.origins.iter().map(|request| request.uri().authority());
        f.debug_struct("Source")
            .field("origins", &hosts.collect::<Vec<_>>())
            .field("renews", &self.renew.is_some())
            .finish()
    }
}
