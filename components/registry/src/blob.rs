//! Blobs: OCI distribution specification 1.1, "Pulling blobs".

use crate::ask::{Ask, REPEAT_SECONDS};
use crate::bindings::ledge::edge::blobs::{self, Outcome, Served, Source};
use crate::bindings::ledge::edge::flights::{Role, join};
use crate::bindings::wasi::http::types::Response;
use crate::failure::Failure;
use crate::fetch::{self, Head, descriptor};
use crate::respond::header_only;
use crate::way::Way;
use crate::{absences, flight, grants, stored};
use ledge_core::digest::Digest;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::key;
use ledge_core::record::Ground;
use ledge_core::ticket::Object;

/// What blobs are: their own type is in the manifest that lists them.
const MEDIA_TYPE: &str = "application/octet-stream";

/// Answers a GET or HEAD of a blob.
pub(crate) async fn answer(ask: &Ask<'_>, digest: &Digest) -> Result<Response, Failure> {
    let grant = grants::known(ask, digest).await;
    if let Some(grant) = &grant
        && grants::suffices(ask, digest, grant).await
        && let Some(response) = get(ask, digest, REPEAT_SECONDS).await?
    {
        return Ok(response);
    }
    if ask.wish.head {
        let shown = grant.filter(|grant| grant.ground == Ground::Shown && grant.size.is_some());
        return match shown {
            Some(grant) => head_answer(ask, digest, grant.size, Way::Known),
            None => Box::pin(head(ask, digest)).await,
        };
    }
    let object = Object::Blob(digest.clone());
    absences::check(ask, &object).await?;
    match join(key::blob_flight(ask.upstream, &ask.repository, digest)).await {
        Role::Leads(lead) => {
            // Whoever led before may have heard a no.
            let result = match absences::check(ask, &object).await {
                Ok(()) => Box::pin(obtain(ask, digest)).await,
                Err(no) => Err(no.into()),
            };
            absences::note(ask, &object, result.as_ref().err().map(|f| &f.error)).await;
            let found = result.as_ref().map(|_| &[][..]);
            flight::conclude(lead, found.map_err(|failure| &failure.error));
            result
        }
        Role::Follows(bytes) => {
            flight::follow(&bytes)?;
            match get(ask, digest, 0).await? {
                Some(response) => Ok(response),
                None => Ok(Box::pin(fill(ask, digest)).await?.response),
            }
        }
    }
}

/// Gets the right to show the blob, and the blob.
async fn obtain(ask: &Ask<'_>, digest: &Digest) -> Result<Response, Failure> {
    if grants::stored(digest).await {
        authorise(ask, digest).await?;
        if let Some(response) = get(ask, digest, 0).await? {
            return Ok(response);
        }
    }
    let filled = fill(ask, digest).await;
    if let Ok(served) = &filled
        && served.shown
    {
        came(ask, digest, served.what.size, served.outcome).await;
    } else if answered_for_others(&filled) {
        // Another repository's transfer: that says nothing of this one's right.
        authorise(ask, digest).await?;
    }
    Ok(filled?.response)
}

/// Remembers that the origin has answered a GET of the blob in this repository.
pub(crate) async fn came(ask: &Ask<'_>, digest: &Digest, size: Option<u64>, how: Outcome) {
    shown(ask, digest, size).await;
    if how != Outcome::Bypass {
        grants::came(ask, digest).await;
    }
    grants::served(ask).await;
}

fn answered_for_others(filled: &Result<Served, Failure>) -> bool {
    match filled {
        Ok(_) => true,
        Err(failure) => failure.error.kind() == ErrorKind::RangeUnsatisfiable,
    }
}

/// Makes sure that the origin shows the blob in this very repository.
async fn authorise(ask: &Ask<'_>, digest: &Digest) -> Result<(), ApiError> {
    if let Some(grant) = grants::known(ask, digest).await
        && grants::suffices(ask, digest, &grant).await
    {
        return Ok(());
    }
    let head = fetch::head(ask, &Object::Blob(digest.clone())).await?;
    shown(ask, digest, head.size).await;
    Ok(())
}

/// Remembers that the origin has shown the blob in this repository. What type it says a
/// blob has is nobody's concern.
async fn shown(ask: &Ask<'_>, digest: &Digest, size: Option<u64>) {
    let head = Head {
        size,
        ..Head::default()
    };
    grants::shown(ask, digest, &head).await;
}

/// The stored blob. The host may repeat it for `repeat` seconds.
async fn get(ask: &Ask<'_>, digest: &Digest, repeat: u64) -> Result<Option<Response>, Failure> {
    let mut fields = ask.fields(digest, MEDIA_TYPE);
    ask.let_repeat(&mut fields, repeat);
    stored::answer(ask, digest, fields, ErrorKind::BlobUnknown).await
}

async fn fill(ask: &Ask<'_>, digest: &Digest) -> Result<Served, Failure> {
    let object = Object::Blob(digest.clone());
    let run = async |source: Source| {
        let fields = ask.fields(digest, MEDIA_TYPE);
        blobs::fill(
            descriptor(digest),
            source,
            ask.wish.ranges(digest),
            fields,
            fetch::BLOBS,
        )
        .await
    };
    ask.in_time(ask.origin().transfer(&object, run)).await
}

/// A HEAD of what is not stored is a HEAD at the origin, never a transfer.
async fn head(ask: &Ask<'_>, digest: &Digest) -> Result<Response, Failure> {
    let key = key::blob_head_flight(ask.upstream, &ask.repository, digest);
    let object = Object::Blob(digest.clone());
    absences::check(ask, &object).await?;
    let found = flight::once(key, async || {
        absences::check(ask, &object).await?;
        let head = fetch::head(ask, &object).await;
        absences::note(ask, &object, head.as_ref().err()).await;
        let head = head?;
        shown(ask, digest, head.size).await;
        Ok(head
            .size
            .map(u64::to_le_bytes)
            .map(Vec::from)
            .unwrap_or_default())
    });
    let (bytes, part) = found.await?;
    let size = bytes.as_slice().try_into().ok().map(u64::from_le_bytes);
    if let Some(response) = get(ask, digest, 0).await? {
        return Ok(response);
    }
    head_answer(ask, digest, size, Way::Asked.of(part))
}

fn head_answer(
    ask: &Ask<'_>,
    digest: &Digest,
    size: Option<u64>,
    way: Way,
) -> Result<Response, Failure> {
    let mut fields = ask.fields(digest, MEDIA_TYPE);
    fields.push(("accept-ranges".to_owned(), b"bytes".to_vec()));
    fields.push(way.field());
    Ok(header_only(fields, size)?)
}
