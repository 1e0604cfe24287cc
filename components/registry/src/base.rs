//! `/v2/`: OCI distribution specification 1.1, "Determining Support".

use crate::ask::field;
use crate::bindings::wasi::http::types::Response;
use crate::failure::Failure;
use crate::respond::small;

/// Yes, this is a registry, and it asks nobody who they are.
pub(crate) fn answer() -> Result<Response, Failure> {
    let fields = vec![field("content-type", "application/json")];
    Ok(small(200, fields, b"{}".to_vec())?)
}
