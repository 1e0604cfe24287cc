//! What is stored: `stat`, `get`, `read`.

use crate::answer::{self, Found, Way};
use crate::bindings::exports::ledge::edge::blobs::{Descriptor, Error};
use crate::bindings::wasi::http::types::Response;
use crate::call::{Fields, value};
use crate::context::moment;
use crate::fault::StoreError;
use crate::parts;
use crate::place;
use crate::sent::{self, STRETCHES, Sent, stretches};
use crate::settings::{Settings, Store};
use crate::store::{self, Known};
use crate::wire::{self, Reply};
use ledge_core::digest::Digest;
use ledge_core::hash;
use ledge_core::range::ByteRange;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::rc::Rc;

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

/// A stored object, or what of it `ranges` say, unread; `None` if it is not stored, or the store is away.
pub(crate) async fn get(
    settings: &Rc<Settings>,
    digest: &Digest,
    ranges: &[ByteRange],
    fields: Fields,
    way: Way,
) -> Result<Option<Served>, Error> {
    if settings.redirect.is_none() && ranges.len() <= 1 {
        let range = ranges.first().copied();
        return ask(settings, digest, range, fields, way).await;
    }
    // Only who knows how long it is knows what is sent.
    let Some(known) = absent_in_outage(store::head(settings, digest).await)? else {
        return Ok(None);
    };
    let sent = match wanted(ranges, known.size, &fields)? {
        Sent::Parts(_, spans) if stretches(&spans).len() > STRETCHES => Sent::Whole,
        sent => sent,
    };
    if let Some(response) = elsewhere(settings, digest, &sent, known.size, way, &fields)? {
        let what = described(digest, Some(known.size), known.media_type);
        return Ok(Some(Served { response, what }));
    }
    let range = match sent {
        Sent::Whole => None,
        Sent::Part(span) => Some(ByteRange::Between(span.start, span.end - 1)),
        Sent::Parts(..) => {
            let header = answer::header(fields, way, &sent, Some(known.size));
            let what = described(digest, Some(known.size), known.media_type);
            let response = parts::send(settings, digest, sent, header)?;
            return Ok(Some(Served { response, what }));
        }
    };
    ask(settings, digest, range, fields, way).await
}

/// Passes on the store's answer to a request for the whole, or for one range.
async fn ask(
    settings: &Settings,
    digest: &Digest,
    range: Option<ByteRange>,
    fields: Fields,
    way: Way,
) -> Result<Option<Served>, Error> {
    let asked = store::get(settings, digest, range).await;
    let Some((found, reply)) = absent_in_outage(asked.map(Some))? else {
        return Ok(None);
    };
    let (sent, size) = match found {
        Found::Missing => return Ok(None),
        Found::Part(span, size) => (Sent::Part(span), Some(size)),
        // It was asked for the whole, or knows no ranges.
        Found::Whole(size) => (Sent::Whole, size),
        _ => return Err(unsatisfiable(settings, digest, found).await),
    };
    let what = described(digest, size, media_type(&reply));
    let (status, fields) = answer::header(fields, way, &sent, size);
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
    sent: &Sent,
    size: u64,
    way: Way,
    fields: &Fields,
) -> Result<Option<Response>, Error> {
    let (Some(redirect), Store::S3(bucket)) = (settings.redirect, &settings.store) else {
        return Ok(None);
    };
    if sent.length(Some(size)).unwrap_or(size) <= redirect.above {
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
pub(crate) fn wanted(ranges: &[ByteRange], size: u64, fields: &Fields) -> Result<Sent, Error> {
    let sent = sent::sent(ranges, size, fields, boundary);
    sent.ok_or(Error::Unsatisfiable(size))
}

/// 128 bits that nobody can foresee.
fn boundary() -> String {
    let keys = RandomState::new();
    format!("{:016x}{:016x}", keys.hash_one(0_u8), keys.hash_one(1_u8))
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
