//! What an upstream is to be shown now, as the host or a variable says.

use crate::bindings::spin::variables::variables::{self, Error};
use crate::failure::origin_failed;
use ledge_core::config::{Credentials, Secret};
use ledge_core::credentials::fresh;
use ledge_core::error::ApiError;
use ledge_core::upstream::Upstream;

/// What counts now; none if there is nothing for this upstream.
///
/// # Errors
/// It cannot be had, so the upstream cannot be asked: an outage.
pub(crate) async fn now(upstream: &Upstream) -> Result<Option<Secret>, ApiError> {
    match upstream.credentials() {
        None => Ok(None),
        Some(Credentials::Inline(secret)) => Ok(Some(secret.clone())),
        Some(Credentials::Variable(name)) => read(upstream, name.clone()).await,
    }
}

/// What counts after an origin refused what [`now`] says. Where that comes from is asked
/// again, unless that was done a moment ago.
///
/// # Errors
/// As of [`now`].
pub(crate) async fn after_refusal(upstream: &Upstream) -> Result<Option<Secret>, ApiError> {
    match upstream.credentials() {
        Some(Credentials::Variable(name)) => read(upstream, fresh(name)).await,
        _ => now(upstream).await,
    }
}

async fn read(upstream: &Upstream, name: String) -> Result<Option<Secret>, ApiError> {
    let value = variables::get(name.clone()).await;
    let secret = value.map_err(|error| reason(&error)).and_then(|value| {
        Secret::decode(&value).map_err(|error| Some(format!("cannot be used: {error}")))
    });
    secret.map_err(|reason| {
        if let Some(reason) = reason {
            eprintln!("upstream {}: the variable {name} {reason}", upstream.name());
        }
        origin_failed(
            upstream.name(),
            "cannot be asked: this mirror cannot get its credentials now",
        )
    })
}

/// What is to be logged of a read that failed. Whoever provides the credentials has said
/// what is wrong with them, once and not for every request.
fn reason(error: &Error) -> Option<String> {
    match error {
        Error::Provider(_) => None,
        other => Some(format!("cannot be read: {other}")),
    }
}
