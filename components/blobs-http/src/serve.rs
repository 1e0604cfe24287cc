//! What is stored: `stat`, `get`, `read`.

use crate::answer::{self, Found, Way, asked, selected};
use crate::bindings::exports::ledge::edge::blobs::{Descriptor, Error};
use crate::bindings::wasi::http::types::Response;
use crate::call::{Fields, value};
use crate::context::moment;
use crate::fault::StoreError;
use crate::place;
use crate::settings::{Settings, Store};
use crate::store::{self, Known};
use crate::wire::{self, Reply};
use ledge_core::digest::Digest;
use ledge_core::hash;
use ledge_core::range::{ByteRange, Span};

/// An answer with a stored object, and what is known of that.
pub(crate) struct Served {
    pub(crate) response: Response,
    pub(crate) what: Descriptor,
}

/// What is known of an object; nothing while the store is away.
pub(crate) async fn stat(
    settings: &Settings,
    digest: &Digest,
) -> Result<Option<Descriptor>, Error> {
    let known = absent_in_outage(store::head(settings, digest).await)?;
    Ok(known.map(|known| described(digest, Some(known.size), known.media_type)))
}

/// A stored object, or a range of it, unread; `None` if it is not stored, or the store is away.
pub(crate) async fn get(
    settings: &Settings,
    digest: &Digest,
    ranges: &[ByteRange],
    fields: Fields,
    way: Way,
) -> Result<Option<Served>, Error> {
    if settings.redirect.is_some() {
        let Some(known) = absent_in_outage(store::head(settings, digest).await)? else {
            return Ok(None);
        };
        let part = part_of(ranges, known.size)?;
        if let Some(response) = elsewhere(settings, digest, part, known.size, way, &fields)? {
            let what = described(digest, Some(known.size), known.media_type);
            return Ok(Some(Served { response, what }));
        }
    }
    let asked = store::get(settings, digest, asked(ranges)).await;
    let Some((found, reply)) = absent_in_outage(asked.map(Some))? else {
        return Ok(None);
    };
    let (part, size) = match found {
        Found::Missing => return Ok(None),
        Found::Part(span, size) => (Some(span), Some(size)),
        Found::Whole(size) => {
            // It was asked for several ranges, or does not know any.
            if let Some(size) = size {
                part_of(ranges, size)?;
            }
            (None, size)
        }
        _ => return Err(unsatisfiable(settings, digest, found).await),
    };
    let what = described(digest, size, media_type(&reply));
    let (status, fields) = answer::header(fields, way, part, size);
    let response = reply.body().into_response(status, &fields);
    let response = response.ok_or_else(malformed)?;
    Ok(Some(Served { response, what }))
}

/// A small object's bytes. Those that are not what their digest says are removed: the origin has
/// the right ones.
pub(crate) async fn read(
    settings: &Settings,
    digest: &Digest,
    max: u32,
) -> Result<Option<Vec<u8>>, Error> {
    let (found, reply) = store::get(settings, digest, None).await?;
    let max = u64::from(max);
    match found {
        Found::Missing => return Ok(None),
        Found::Whole(Some(size)) if size > max => return Err(Error::TooLarge),
        _ => {}
    }
    let bytes = reply.body().whole(max).await.map_err(StoreError::from)?;
    let bytes = bytes.ok_or(Error::TooLarge)?;
    if hash::digest(digest.algorithm(), &bytes) == *digest {
        return Ok(Some(bytes));
    }
    eprintln!("the store had other bytes under {digest}; they are removed");
    store::delete(settings, digest).await?;
    Ok(None)
}

/// The answer that sends a client to the bucket, if it is to go there for so much.
pub(crate) fn elsewhere(
    settings: &Settings,
    digest: &Digest,
    part: Option<Span>,
    size: u64,
    way: Way,
    fields: &Fields,
) -> Result<Option<Response>, Error> {
    let (Some(redirect), Store::S3(bucket)) = (settings.redirect, &settings.store) else {
        return Ok(None);
    };
    if part.map_or(size, Span::len) <= redirect.above {
        return Ok(None);
    }
    let url = bucket.lend(&place::object(digest), moment(), redirect.seconds);
    let (status, fields) = answer::elsewhere(fields.clone(), way, url.as_str());
    wire::respond(status, &fields, None)
        .map(Some)
        .ok_or_else(malformed)
}

/// While the store is away, nothing is stored as far as anybody can tell: the origin serves.
fn absent_in_outage<T>(result: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Err(error) if error.is_outage() => {
            eprintln!("{error}");
            Ok(None)
        }
        result => result,
    }
}

/// What of an object of `size` bytes is sent.
pub(crate) fn part_of(ranges: &[ByteRange], size: u64) -> Result<Option<Span>, Error> {
    selected(ranges, size).ok_or(Error::Unsatisfiable(size))
}

async fn unsatisfiable(settings: &Settings, digest: &Digest, found: Found) -> Error {
    if let Found::Unsatisfiable(Some(size)) = found {
        return Error::Unsatisfiable(size);
    }
    // Some servers do not say how long it is.
    match store::head(settings, digest).await {
        Ok(Some(Known { size, .. })) => Error::Unsatisfiable(size),
        Ok(None) => StoreError::Malformed("the object went").into(),
        Err(error) => error.into(),
    }
}

pub(crate) fn described(
    digest: &Digest,
    size: Option<u64>,
    media_type: Option<String>,
) -> Descriptor {
    Descriptor {
        digest: digest.to_string(),
        size,
        media_type,
    }
}

/// The type that came with an answer.
pub(crate) fn media_type(reply: &Reply) -> Option<String> {
    value(&reply.fields, "content-type").map(str::to_owned)
}

pub(crate) fn malformed() -> Error {
    Error::Other("a field of the response is malformed".to_owned())
}
