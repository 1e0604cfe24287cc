//! Where a transfer gets its bytes.

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Uri};
use ledge_store::Keeping;

use crate::renew::Renew;

/// Bodiless GETs for the same bytes, best first, and who makes them anew.
#[derive(Clone, Default)]
pub struct Source {
    /// One request an endpoint.
    pub origins: Vec<Request<()>>,
    /// Asked for a fresh request when credentials or a URL expire in mid-transfer.
    pub renew: Option<Arc<dyn Renew>>,
    /// How the object is kept, if it comes from here.
    pub keep: Keeping,
}

/// What a source asks, and as whom. An origin's no to one question is none to another: a
/// digest may be missing in one repository and be in the next.
#[derive(PartialEq, Eq)]
pub(crate) struct Question(Vec<(Uri, Option<HeaderValue>)>);

impl Source {
    pub(crate) fn question(&self) -> Question {
        let asks = |request: &Request<()>| {
            let whose = request.headers().get(AUTHORIZATION);
            (request.uri().clone(), whose.cloned())
        };
        Question(self.origins.iter().map(asks).collect())
    }
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
