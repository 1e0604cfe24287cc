//! A manifest by digest: OCI distribution specification 1.1, "Pulling manifests".

use crate::ask::{Ask, REPEAT_SECONDS};
use crate::bindings::wasi::http::types::Response;
use crate::failure::Failure;
use crate::respond::header_only;
use crate::way::Way;
use crate::{absences, fetch, flight, grants, prefetch, stored};
use ledge_core::digest::Digest;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::key;
use ledge_core::record::Ground;
use ledge_core::reference::Reference;
use ledge_core::ticket::Object;
use std::cell::Cell;

/// How often the flight is joined for one request: a GET that followed a HEAD's
/// flight finds no bytes and flies itself, and eviction may come in between once.
const ROUNDS: u32 = 3;

/// Answers a GET or HEAD of a manifest by its digest.
pub(crate) async fn answer(ask: &Ask<'_>, digest: &Digest) -> Result<Response, Failure> {
    if let Some(response) = granted(ask, digest, Way::Known).await? {
        return Ok(response);
    }
    let object = Object::Manifest(Reference::Digest(digest.clone()));
    absences::check(ask, &object).await?;
    let key = key::manifest_flight(ask.upstream, &ask.repository, digest);
    for _ in 0..ROUNDS {
        let way = Cell::new(Way::Known);
        let found = flight::once(key.clone(), async || {
            // Whoever led before may have heard a no.
            absences::check(ask, &object).await?;
            let found = Box::pin(obtain(ask, digest)).await;
            way.set(absences::noted(ask, &object, found).await?);
            Ok(Vec::new())
        });
        let (_, part) = found.await?;
        let way = way.get().of(part);
        if let Some(response) = granted(ask, digest, way).await? {
            prefetch::parts(ask, digest, way);
            return Ok(response);
        }
    }
    Err(ApiError::new(
        ErrorKind::Unavailable,
        "the manifest was evicted while it was fetched",
    )
    .into())
}

/// The stored manifest if this repository may show it, or what is known of it if
/// that is all a HEAD wants.
async fn granted(ask: &Ask<'_>, digest: &Digest, way: Way) -> Result<Option<Response>, Failure> {
    let Some(grant) = grants::known(ask, digest).await else {
        return Ok(None);
    };
    if let Some(refusal) = ask.refusal(None, grant.platform.as_ref()) {
        return Err(refusal.into());
    }
    let Some(media_type) = grant.media_type.as_ref() else {
        return Ok(None);
    };
    if !grants::suffices(ask, digest, &grant).await {
        return Ok(None);
    }
    let mut fields = ask.fields(digest, media_type.as_str());
    fields.extend(way.told());
    if way == Way::Known {
        ask.let_repeat(&mut fields, REPEAT_SECONDS);
    }
    let found = stored::answer(ask, digest, fields, ErrorKind::ManifestUnknown).await?;
    if found.is_none() && ask.wish.head && grant.ground == Ground::Shown {
        let mut fields = ask.fields(digest, media_type.as_str());
        fields.push(way.field());
        return Ok(Some(header_only(fields, grant.size)?));
    }
    Ok(found)
}

/// Gets the right to show the manifest, and its bytes where they are wanted.
async fn obtain(ask: &Ask<'_>, digest: &Digest) -> Result<Way, ApiError> {
    let reference = Reference::Digest(digest.clone());
    if ask.wish.head || grants::stored(digest).await {
        let mut head = fetch::head(ask, &Object::Manifest(reference.clone())).await?;
        head.media_type = match head.media_type.filter(|said| !said.is_generic()) {
            Some(said) => Some(said),
            // What the origin does not say, an earlier grant did, or else the bytes do.
            None => grants::known(ask, digest)
                .await
                .and_then(|grant| grant.media_type),
        };
        if head.media_type.is_some() {
            grants::shown(ask, digest, &head).await;
            grants::served(ask).await;
            return Ok(Way::Asked);
        }
    }
    fetch::manifest(ask, &reference).await?;
    Ok(Way::Fetched)
}
