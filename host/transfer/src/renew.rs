//! A fresh request for a transfer whose credentials or URL expired.

use std::pin::Pin;

use http::Request;

use crate::error::Refusal;

/// A request for the same bytes, or in words why there is none. The words name no secret.
pub type Renewed = Pin<Box<dyn Future<Output = Result<Request<()>, String>> + Send>>;

/// Makes requests again. Whoever gives a transfer its source gives it this too.
pub trait Renew: Send + Sync {
    /// The request of the endpoint that `why` came from ([`Refusal::origin`]), with what it
    /// takes to be let in now. It is bodiless, and takes bounded time. Dropping the future
    /// gives it up.
    fn renew(&self, why: Refusal) -> Renewed;
}
