//! `referrers`: OCI distribution specification 1.1, "Listing Referrers".

use crate::ask::{Ask, field};
use crate::bindings::wasi::http::types::Response;
use crate::failure::Failure;
use crate::lists;
use crate::respond::small;
use crate::tags::{List, each_page};
use ledge_core::digest::Digest;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::key;
use ledge_core::media_type::{ACCEPT_MANIFESTS, OCI_INDEX};
use ledge_core::referrers::{ARTIFACT_TYPE_FILTER, FILTERS_APPLIED, Referrers, fallback_tag};

/// Answers the referrers of a digest; an empty index if there are none.
pub(crate) async fn answer(
    ask: &Ask<'_>,
    subject: &Digest,
    artifact_type: Option<&str>,
) -> Result<Response, Failure> {
    let key = key::referrers(ask.upstream, &ask.repository, subject);
    let listed = lists::get(ask, key, async || Ok(gather(ask, subject).await?.json())).await?;
    let mut referrers = Referrers::default();
    let read = referrers.add_page(&listed.json);
    read.map_err(|_| ApiError::new(ErrorKind::Internal, "the kept list cannot be read"))?;
    let mut fields = vec![field("content-type", OCI_INDEX), listed.way.field()];
    ask.echo_namespace(&mut fields);
    if let Some(artifact_type) = artifact_type {
        referrers.retain_type(artifact_type);
        fields.push(field(FILTERS_APPLIED, ARTIFACT_TYPE_FILTER));
    }
    Ok(small(200, fields, referrers.json())?)
}

/// From the origin's API, or else from the tag that stands in for it.
async fn gather(ask: &Ask<'_>, subject: &Digest) -> Result<Referrers, ApiError> {
    let api = format!("/v2/{}/referrers/{subject}", ask.repository);
    if let Some(referrers) = pages(ask, api).await? {
        return Ok(referrers);
    }
    let Ok(tag) = fallback_tag(subject) else {
        return Ok(Referrers::default());
    };
    let fallback = format!("/v2/{}/manifests/{tag}", ask.repository);
    Ok(pages(ask, fallback).await?.unwrap_or_default())
}

/// `None` if the origin knows no such list.
async fn pages(ask: &Ask<'_>, first: String) -> Result<Option<Referrers>, ApiError> {
    let mut referrers = Referrers::default();
    // The fallback is a tag, which origins convert or hide for those who do not accept an index.
    let list = List {
        first,
        accept: ACCEPT_MANIFESTS,
        missing: ErrorKind::ManifestUnknown,
    };
    let read = each_page(ask, list, |json| {
        referrers.add_page(json).map_err(|error| error.to_string())
    });
    match read.await {
        Ok(()) => Ok(Some(referrers)),
        Err(error) if error.kind() == ErrorKind::ManifestUnknown => Ok(None),
        Err(error) => Err(error),
    }
}
