//! What is asked of the store, whichever it is.

use crate::answer::{Found, found};
use crate::bindings::wasi::http::types::ErrorCode;
use crate::call::{Call, Verb, number, value};
use crate::context::moment;
use crate::fault::StoreError;
use crate::place;
use crate::settings::{Settings, Store};
use crate::wire::{self, Reply};
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;

/// A server's own words about a failure are thrown away, up to so many bytes: then its connection
/// can be used again.
const WORDS: u64 = 64 << 10;

/// What a HEAD tells.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) size: u64,
    pub(crate) media_type: Option<String>,
}

/// What is known of an object; `None` if it is not stored.
pub(crate) async fn head(
    settings: &Settings,
    digest: &Digest,
) -> Result<Option<Known>, StoreError> {
    let name = place::object(digest);
    let call = match &settings.store {
        Store::S3(bucket) => bucket.head(&name, moment()),
        Store::Http(server) => server.call(Verb::Head, &name),
    };
    let reply = again(&call).await?;
    match found(reply.status, &reply.fields, None) {
        Found::Whole(_) => Ok(Some(Known {
            size: number(&reply.fields, "content-length")
                .ok_or(StoreError::Malformed("it says no Content-Length"))?,
            media_type: value(&reply.fields, "content-type").map(str::to_owned),
        })),
        Found::Missing => Ok(None),
        _ => Err(StoreError::Status(reply.status)),
    }
}

/// The answer to a GET of an object, and what it says.
pub(crate) async fn get(
    settings: &Settings,
    digest: &Digest,
    range: Option<ByteRange>,
) -> Result<(Found, Reply), StoreError> {
    let name = place::object(digest);
    let call = match &settings.store {
        Store::S3(bucket) => bucket.get(&name, moment()),
        Store::Http(server) => server.call(Verb::Get, &name),
    };
    let call = match range {
        Some(range) => call.with("range", format!("bytes={range}")),
        None => call,
    };
    let reply = again(&call).await?;
    match found(reply.status, &reply.fields, range) {
        Found::Other(status) => Err(StoreError::Status(status)),
        Found::Malformed => Err(StoreError::Malformed(
            "it is another part than was asked for",
        )),
        found => Ok((found, reply)),
    }
}

/// Removes an object. False if it was not there.
pub(crate) async fn delete(settings: &Settings, digest: &Digest) -> Result<bool, StoreError> {
    // A bucket says of what is not there too that it is gone.
    if head(settings, digest).await?.is_none() {
        return Ok(false);
    }
    let name = place::object(digest);
    let call = match &settings.store {
        Store::S3(bucket) => bucket.delete(&name, moment()),
        Store::Http(server) => server.call(Verb::Delete, &name),
    };
    match settled(again(&call).await?).await {
        404 | 410 => Ok(false),
        200..=299 => Ok(true),
        status => Err(StoreError::Status(status)),
    }
}

/// Sends what may be sent twice, once more if the connection broke: a server closes one that it
/// has not been asked on for a while, just when it is asked.
pub(crate) async fn again(call: &Call) -> Result<Reply, ErrorCode> {
    match wire::send(call).await {
        Err(
            ErrorCode::ConnectionTerminated
            | ErrorCode::HttpResponseIncomplete
            | ErrorCode::HttpProtocolError,
        ) => wire::send(call).await,
        result => result,
    }
}

/// The status of an answer whose words do not matter.
pub(crate) async fn settled(reply: Reply) -> u16 {
    let status = reply.status;
    // Whether it came whole changes nothing of what was done.
    drop(reply.body().whole(WORDS).await);
    status
}
