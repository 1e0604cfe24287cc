//! A manifest by tag: OCI distribution specification 1.1, "Pulling manifests".
//!
//! The warm path is one read of the tag's record and one `blobs.get`. All else
//! happens in a flight, so that the origin is asked once however many want the tag.

use crate::ask::{Ask, field};
use crate::bindings::wasi::http::types::Response;
use crate::context::now;
use crate::failure::{Failure, is_outage, refused};
use crate::fetch::{self, Head};
use crate::flight::Part;
use crate::records::{self, Label};
use crate::respond::header_only;
use crate::way::Way;
use crate::{absences, behind, endpoints, flight, grants, prefetch, stored};
use ledge_core::digest::Digest;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::freshness::{Asked, Freshness, Lifetime, freshness, postponed};
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
    match read(&key).await {
        Some(record) => {
            if let Some(response) = at_once(ask, tag, &record).await? {
                return Ok(response);
            }
        }
        None => absences::check(ask, &manifest(tag)).await?,
    }
    for _ in 0..ROUNDS {
        let way = Cell::new(Way::Known);
        let found = flight::once(key.clone(), async || {
            let record = Box::pin(refresh(ask, &key, tag, &way)).await?;
            Ok(record.encode())
        });
        let (bytes, part) = found.await?;
        let Some(record) = TagRecord::decode(&bytes) else {
            continue;
        };
        let way = match part {
            // The origin failed since it said so, and who waited has to be told, too.
            Part::Followed if record.ask_at > 0 => Way::Stale,
            part => way.get().of(part),
        };
        if let Some(response) = show(ask, &record, way, 0).await? {
            prefetch::parts(ask, &record.digest, way);
            return Ok(response);
        }
    }
    Err(ApiError::new(
        ErrorKind::Unavailable,
        "the manifest was evicted while it was fetched",
    )
    .into())
}

/// Asks the origin what a tag means now, for nobody in particular.
pub(crate) async fn revalidate_behind(ask: &Ask<'_>, tag: &Tag) {
    let key = key::tag(ask.upstream, &ask.repository, tag);
    let asked = flight::once(key.clone(), async || {
        let way = Cell::new(Way::Known);
        let record = Box::pin(refresh(ask, &key, tag, &way)).await?;
        Ok(record.encode())
    });
    if let Err(error) = asked.await {
        eprintln!("{}:{tag} could not be revalidated: {error}", ask.repository);
    }
}

fn manifest(tag: &Tag) -> Object {
    Object::Manifest(Reference::Tag(tag.clone()))
}

async fn read(key: &str) -> Option<TagRecord> {
    TagRecord::decode(&records::get(Label::Default, key).await?)
}

fn lifetime(ask: &Ask<'_>, tag: &Tag) -> Lifetime {
    let policy = ask.upstream.freshness();
    let lifetime = policy.lifetime(&ask.repository, Some(tag));
    if ask.wish.anew && policy.client_no_cache() {
        lifetime.asked_anew()
    } else {
        lifetime
    }
}

/// What a tag's record is worth, when the origin's quota counts too.
async fn worth(ask: &Ask<'_>, tag: &Tag, record: &TagRecord) -> Freshness {
    let lifetime = lifetime(ask, tag);
    match freshness(record.into(), now(), lifetime) {
        Freshness::Expired { .. } => {
            let quota = endpoints::quota(ask.upstream).await;
            let stretched = quota.stretch(lifetime, now());
            freshness(record.into(), now(), stretched)
        }
        worth => worth,
    }
}

/// The answer, if the origin need not be asked before it.
async fn at_once(
    ask: &Ask<'_>,
    tag: &Tag,
    record: &TagRecord,
) -> Result<Option<Response>, Failure> {
    let (way, repeat) = match worth(ask, tag, record).await {
        Freshness::Fresh(left) => (Way::Known, left),
        Freshness::Resting(left) => (Way::Stale, left),
        Freshness::StaleButServable => (Way::Meanwhile, 0),
        Freshness::Expired { .. } | Freshness::Dead => return Ok(None),
    };
    let response = show(ask, record, way, repeat).await?;
    if response.is_some() && way == Way::Meanwhile {
        behind::revalidate(ask, tag);
    }
    Ok(response)
}

/// The stored manifest, or what is known of it if that is all a HEAD wants. The host may repeat
/// it for `repeat` seconds.
async fn show(
    ask: &Ask<'_>,
    record: &TagRecord,
    way: Way,
    repeat: u64,
) -> Result<Option<Response>, Failure> {
    let common = || {
        let mut fields = ask.fields(&record.digest, record.media_type.as_str());
        let warning = way.warning();
        if warning.is_some() || ask.wish.is_passed_on {
            // A mirror in front of this one counts on from there.
            let age = Asked::from(record).age(now());
            fields.push(field("age", &age.to_string()));
        }
        fields.extend(warning.map(|warning| field("warning", warning)));
        fields
    };
    let mut fields = common();
    fields.extend(way.told());
    ask.let_repeat(&mut fields, repeat);
    let found = stored::answer(ask, &record.digest, fields, ErrorKind::ManifestUnknown).await?;
    if found.is_none() && serves_head(ask, &record.digest).await {
        let mut fields = common();
        fields.push(way.field());
        return Ok(Some(header_only(fields, Some(record.size))?));
    }
    Ok(found)
}

/// Whether a HEAD is answered with a digest whose bytes are not here: not if the origin said a
/// moment ago that it has none such, for a client would go from one to the other and back.
async fn serves_head(ask: &Ask<'_>, digest: &Digest) -> bool {
    let there = Object::Manifest(Reference::Digest(digest.clone()));
    ask.wish.head && absences::check(ask, &there).await.is_ok()
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
    let Some(record) = known else {
        absences::check(ask, &manifest(tag)).await?;
        let found = revalidate(ask, tag, None).await;
        let (record, how) = absences::noted(ask, &manifest(tag), found).await?;
        way.set(how);
        records::set(Label::Default, key, &record.encode()).await;
        return Ok(record);
    };
    let worth = worth(ask, tag, &record).await;
    let usable = grants::stored(&record.digest).await || serves_head(ask, &record.digest).await;
    let serves = usable && worth.serves_on_error();
    if worth.quiet_for().is_some() {
        if usable {
            if matches!(worth, Freshness::Resting(_)) {
                way.set(Way::Stale);
            }
            return Ok(record);
        }
        return restore(ask, key, tag, &record, way).await;
    }
    if serves && let Some(rest) = endpoints::resting(ask.upstream).await {
        way.set(Way::Stale);
        let ask_at = now().saturating_add(rest);
        let record = TagRecord { ask_at, ..record };
        records::set(Label::Default, key, &record.encode()).await;
        return Ok(record);
    }
    let record = match revalidate(ask, tag, Some(&record)).await {
        Ok((record, how)) => {
            way.set(how);
            record
        }
        Err(error) if serves && is_outage(&error) => {
            eprintln!("{}:{tag} is served stale: {error}", ask.repository);
            way.set(Way::Stale);
            postponed(record, now(), lifetime(ask, tag))
        }
        Err(error) => {
            if error.kind() == ErrorKind::ManifestUnknown {
                records::delete(Label::Default, key).await;
            }
            return absences::noted(ask, &manifest(tag), Err(error)).await;
        }
    };
    records::set(Label::Default, key, &record.encode()).await;
    Ok(record)
}

/// Fetches what a tag means whose bytes are gone. That its meaning still holds was not asked.
async fn restore(
    ask: &Ask<'_>,
    key: &str,
    tag: &Tag,
    known: &TagRecord,
    way: &Cell<Way>,
) -> Result<TagRecord, ApiError> {
    let (mut record, how) = refetch(ask, tag, &known.digest).await?;
    way.set(how);
    if record.digest == known.digest {
        (record.checked_at, record.ask_at) = (known.checked_at, known.ask_at);
    }
    records::set(Label::Default, key, &record.encode()).await;
    Ok(record)
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
        keep_found(ask, &found).await;
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
    match fetch::try_head(ask, &manifest(tag)).await? {
        Ok(head) => Ok(record_of(head)),
        Err(400 | 405) => Ok(None),
        Err(status) => Err(refused(
            ask.upstream.name(),
            status,
            ErrorKind::ManifestUnknown,
        )),
    }
}

/// What a tag means now, if its manifest's header says all.
fn record_of(head: Head) -> Option<TagRecord> {
    let checked_at = now().saturating_sub(head.age);
    let media_type = head
        .media_type
        .filter(|media_type| !media_type.is_generic());
    Some(TagRecord {
        digest: head.digest?,
        media_type: media_type?,
        size: head.size?,
        checked_at,
        ask_at: 0,
    })
}

/// Keeps what was seen of a tag while the origin was asked about something else, if nothing has
/// to be fetched for that.
pub(crate) async fn seen(ask: &Ask<'_>, tag: &Tag, head: Head) {
    if let Some(record) = record_of(head)
        && (ask.wish.head || grants::stored(&record.digest).await)
    {
        keep_found(ask, &record).await;
        let key = key::tag(ask.upstream, &ask.repository, tag);
        records::set(Label::Default, &key, &record.encode()).await;
    }
}

/// The origin said that a tag of this repository means this.
async fn keep_found(ask: &Ask<'_>, found: &TagRecord) {
    let head = Head {
        media_type: Some(found.media_type.clone()),
        size: Some(found.size),
        ..Head::default()
    };
    grants::shown(ask, &found.digest, &head).await;
    grants::served(ask).await;
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
        checked_at: now().saturating_sub(fetched.age),
        ask_at: 0,
    };
    Ok((record, Way::Fetched))
}
