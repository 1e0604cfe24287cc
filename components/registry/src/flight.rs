//! One at a time, by key.

use crate::bindings::ledge::edge::flights::{Lead, Role, join};
use ledge_core::answer;
use ledge_core::error::{ApiError, ErrorKind};

/// Gets an answer once, however many ask for `key` at the same time; failures
/// are shared too. Also says whether this caller got it itself.
pub(crate) async fn once(
    key: String,
    get: impl AsyncFnOnce() -> Result<Vec<u8>, ApiError>,
) -> Result<(Vec<u8>, Part), ApiError> {
    match join(key).await {
        Role::Leads(lead) => {
            let found = get().await;
            conclude(lead, found.as_deref());
            Ok((found?, Part::Led))
        }
        Role::Follows(bytes) => Ok((follow(&bytes)?.to_vec(), Part::Followed)),
    }
}

/// What a caller did for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Got it.
    Led,
    /// Waited for it.
    Followed,
}

/// Tells those who wait, unless what was found is this caller's own affair: then another leads.
pub(crate) fn conclude(lead: Lead, found: Result<&[u8], &ApiError>) {
    match found {
        Err(error) if error.is_personal() => drop(lead),
        found => Lead::land(lead, &answer::encode(found)),
    }
}

/// What the leader found.
pub(crate) fn follow(bytes: &[u8]) -> Result<&[u8], ApiError> {
    answer::decode(bytes).unwrap_or_else(|| {
        Err(ApiError::new(
            ErrorKind::Internal,
            "a flight ended without an answer",
        ))
    })
}
