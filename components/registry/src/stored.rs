//! What is stored, as an answer.

use crate::ask::{Ask, field};
use crate::bindings::ledge::edge::blobs;
use crate::bindings::wasi::http::types::Response;
use crate::failure::{Failure, of_blobs};
use crate::respond::{Fields, header_only};
use crate::way::Way;
use ledge_core::digest::Digest;
use ledge_core::error::ErrorKind;

/// The stored object with these fields; none if it is not stored. A HEAD asks for no byte of it: where objects
/// are in a bucket they would be sent for nothing, and a client that is sent there with a URL that is signed
/// for GET could do nothing with it. `missing` is what the client is told if there is no such object.
pub(crate) async fn answer(
    ask: &Ask<'_>,
    digest: &Digest,
    fields: Fields,
    missing: ErrorKind,
) -> Result<Option<Response>, Failure> {
    let failed = |error| of_blobs(ask.upstream.name(), error, missing);
    if ask.wish.head {
        let found = blobs::stat(digest.to_string()).await.map_err(failed)?;
        let known = found.map(|what| header_only(told(fields), what.size));
        return Ok(known.transpose()?);
    }
    let ranges = ask.wish.ranges(digest);
    blobs::get(digest.to_string(), ranges, fields)
        .await
        .map_err(failed)
}

/// What the host says of its own responses.
fn told(mut fields: Fields) -> Fields {
    fields.push(field("accept-ranges", "bytes"));
    if !fields.iter().any(|(name, _)| name == "cache-status") {
        fields.push(Way::Known.field());
    }
    fields
}
