//! What an instance knows: its configuration, read once, and the time.

use crate::bindings::spin::variables::variables;
use ledge_core::config::{Registry, VARIABLE};
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::upstream::Upstreams;
use std::cell::OnceCell;
use std::rc::Rc;
use std::time::SystemTime;

thread_local! {
    static UPSTREAMS: OnceCell<Rc<Upstreams>> = const { OnceCell::new() };
}

/// The configured upstreams.
///
/// # Errors
/// The configuration is missing or cannot be used; the log says why.
pub(crate) async fn upstreams() -> Result<Rc<Upstreams>, ApiError> {
    if let Some(known) = UPSTREAMS.with(|cell| cell.get().cloned()) {
        return Ok(known);
    }
    let json = variables::get(VARIABLE.to_owned()).await;
    let json = json.map_err(|error| unconfigured(&error))?;
    let parsed = Registry::parse(&json).map_err(|error| unconfigured(&error))?;
    Ok(UPSTREAMS.with(|cell| cell.get_or_init(|| Rc::new(parsed)).clone()))
}

fn unconfigured(error: &dyn std::error::Error) -> ApiError {
    eprintln!("the variable {VARIABLE} cannot be used: {error}");
    ApiError::new(ErrorKind::Internal, "the registry is not configured")
}

/// Seconds since the Unix epoch; 0 if the clock stands before it.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |age| age.as_secs())
}
