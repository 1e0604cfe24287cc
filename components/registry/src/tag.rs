//! A manifest by tag: OCI distribution specification 1.1, "Pulling manifests".
//!
//! The warm path is one read of the tag's record and one `blobs.get`. All else
//! happens in a flight, so that the origin is asked once however many want the tag.

use crate::ask::Ask;
use crate::bindings::ledge::edge::blobs;
use crate::bindings::wasi::http::types::Response;
use crate::context::now;
use crate::failure::{Failure, is_outage, of_blobs, refused};
use crate::fetch::{self, Head};
use crate::records::{self, Label};
use crate::respond::header_only;
use crate::way::Way;
use crate::{flight, grants};
use ledge_core::digest::Digest;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::freshness::{Freshness, Lifetime, freshness, postponed};
use ledge_core::key;
use ledge_core::name::Tag;
use ledge_core::record::TagRecord;
use ledge_core::reference::Reference;
use ledge_core::ticket::Object;
use std::cell::Cell;

/// How often a tag is looked at for one request: a GET that followed a HEAD's
/// flight finds no bytes and flies itself, and eviction may come in between once.
const ROUNDS: u32 = 3;

/// Answers a GET or HEAD of a tag.
pub(crate) async fn answer(ask: &Ask<'_>, tag: &Tag) -> Result<Response, Failure> {
    let key = key::tag(ask.upstream, &ask.repository, tag);
    if let Some(record) = read(&key).await
        && let Some(left) = worth(ask, tag, &record).quiet_for()
        && let Some(response) = show(ask, &record, Way::Known, left).await?
    {
        return Ok(response);
    }
    for _ in 0..ROUNDS {
        let way = Cell::new(Way::Known);
        let found = flight::once(key.clone(), async || {
            let record = Box::pin(refresh(ask, &key, tag, &way)).await?;
            Ok(record.encode())
        });
        let (bytes, part) = found.await?;
        if let Some(record) = TagRecord::decode(&bytes)
            && let Some(response) = show(ask, &record, way.get().of(part), 0).await?
        {
            return Ok(response);
        }
    }
    Err(ApiError::new(
        ErrorKind::Unavailable,
        "the manifest was evicted while it was fetched",
    )
    .into())
}

async fn read(key: &str) -> Option<TagRecord> {
    TagRecord::decode(&records::get(Label::Default, key).await?)
}

fn lifetime(ask: &Ask<'_>, tag: &Tag) -> Lifetime {
    ask.upstream
        .freshness()
        .lifetime(&ask.repository, Some(tag))
}

fn worth(ask: &Ask<'_>, tag: &Tag, record: &TagRecord) -> Freshness {
    freshness(record.into(), now(), lifetime(ask, tag))
}

/// Whether the origin is not to be asked.
fn is_quiet(ask: &Ask<'_>, tag: &Tag, record: &TagRecord) -> bool {
    worth(ask, tag, record).quiet_for().is_some()
}

/// The stored manifest, or what is known of it if that is all a HEAD wants. The host may repeat
/// it for `repeat` seconds.
async fn show(
    ask: &Ask<'_>,
    record: &TagRecord,
    way: Way,
    repeat: u64,
) -> Result<Option<Response>, Failure> {
    let mut fields = ask.fields(&record.digest, record.media_type.as_str());
    fields.extend(way.told());
    ask.let_repeat(&mut fields, repeat);
    let ranges = ask.wish.ranges(&record.digest);
    match blobs::get(record.digest.to_string(), ranges, fields).await {
        Ok(Some(response)) => Ok(Some(response)),
        Ok(None) if ask.wish.head => {
            let mut fields = ask.fields(&record.digest, record.media_type.as_str());
            fields.push(way.field());
            Ok(Some(header_only(fields, Some(record.size))?))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(of_blobs(
            ask.upstream.name(),
            error,
            ErrorKind::ManifestUnknown,
        )),
    }
}

/// Finds out what the tag means now, and says in `way` how. Led by one at a time.
async fn refresh(
    ask: &Ask<'_>,
    key: &str,
    tag: &Tag,
    way: &Cell<Way>,
) -> Result<TagRecord, ApiError> {
    // Whoever led before may have done it all.
    let known = read(key).await;
    let usable = match &known {
        Some(record) => ask.wish.head || grants::stored(&record.digest).await,
        None => false,
    };
    let found = match &known {
        Some(record) if is_quiet(ask, tag, record) && usable => return Ok(record.clone()),
        Some(record) if is_quiet(ask, tag, record) => refetch(ask, tag, &record.digest).await,
        _ => revalidate(ask, tag, known.as_ref()).await,
    };
    match (found, known) {
        (Ok((record, how)), _) => {
            way.set(how);
            records::set(Label::Default, key, &record.encode()).await;
            Ok(record)
        }
        (Err(error), Some(record))
            if is_outage(&error) && usable && worth(ask, tag, &record).serves_on_error() =>
        {
            eprintln!("{}:{tag} is served stale: {error}", ask.repository);
            way.set(Way::Stale);
            let record = postponed(record, now(), lifetime(ask, tag));
            records::set(Label::Default, key, &record.encode()).await;
            Ok(record)
        }
        (Err(error), known) => {
            if known.is_some() && error.kind() == ErrorKind::ManifestUnknown {
                records::delete(Label::Default, key).await;
            }
            Err(error)
        }
    }
}

/// What the origin says that a tag means, and how it was asked.
type Found = Result<(TagRecord, Way), ApiError>;

/// Asks the origin. A HEAD costs no quota there, so it is enough for a client's
/// HEAD, and for a tag that may well mean the same as before.
async fn revalidate(ask: &Ask<'_>, tag: &Tag, known: Option<&TagRecord>) -> Found {
    if (ask.wish.head || known.is_some())
        && let Some(found) = look(ask, tag).await?
    {
        if !ask.wish.head && !grants::stored(&found.digest).await {
            return refetch(ask, tag, &found.digest).await;
        }
        let head = Head {
            digest: None,
            media_type: Some(found.media_type.clone()),
            size: Some(found.size),
        };
        grants::shown(ask, &found.digest, &head).await;
        grants::served(ask).await;
        let way = if known.is_some() {
            Way::Revalidated
        } else {
            Way::Asked
        };
        return Ok((found, way));
    }
    fetch(ask, &Reference::Tag(tag.clone())).await
}

/// What the origin says to a HEAD; `None` if it does not say all that is needed, or
/// knows no HEAD: a GET finds out.
async fn look(ask: &Ask<'_>, tag: &Tag) -> Result<Option<TagRecord>, ApiError> {
    let object = Object::Manifest(Reference::Tag(tag.clone()));
    let head = match fetch::try_head(ask, &object).await? {
        Ok(head) => head,
        Err(400 | 405) => return Ok(None),
        Err(status) => {
            return Err(refused(
                ask.upstream.name(),
                status,
                ErrorKind::ManifestUnknown,
            ));
        }
    };
    let media_type = head
        .media_type
        .filter(|media_type| !media_type.is_generic());
    let all = head.digest.zip(head.size).zip(media_type);
    Ok(all.map(|((digest, size), media_type)| TagRecord {
        digest,
        media_type,
        size,
        checked_at: now(),
        ask_at: 0,
    }))
}

/// Fetches the manifest that the tag is said to mean; if the origin has none such,
/// its word was false or old, and the tag is fetched itself.
async fn refetch(ask: &Ask<'_>, tag: &Tag, digest: &Digest) -> Found {
    match fetch(ask, &Reference::Digest(digest.clone())).await {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::ManifestUnknown | ErrorKind::OriginFailed
            ) =>
        {
            fetch(ask, &Reference::Tag(tag.clone())).await
        }
        other => other,
    }
}

async fn fetch(ask: &Ask<'_>, reference: &Reference) -> Found {
    let fetched = fetch::manifest(ask, reference).await?;
    let record = TagRecord {
        digest: fetched.digest,
        media_type: fetched.media_type,
        size: fetched.size,
        checked_at: now(),
        ask_at: 0,
    };
    Ok((record, Way::Fetched))
}
