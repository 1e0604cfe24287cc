//! What an origin lists, tags and referrers: kept as long as what a tag means, and asked for
//! once however many want it.

use crate::ask::Ask;
use crate::context::now;
use crate::failure::is_outage;
use crate::records::{self, Label};
use crate::way::Way;
use crate::{absences, endpoints, flight};
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::freshness::{Freshness, Lifetime, freshness, rests_until};
use ledge_core::key;
use ledge_core::record::ListRecord;
use std::cell::RefCell;

/// The longest list that is kept, in bytes: what small stores take as one value, and some
/// ten thousand tags.
const MAX_KEPT: usize = 512 * 1024;

/// A list, and how it came.
pub(crate) struct Listed {
    pub(crate) json: Vec<u8>,
    pub(crate) way: Way,
}

/// The list that is kept under `key`, or what `gather` finds at the origin.
///
/// # Errors
/// The origin could not be asked and nothing is kept that may serve, or it has no such list.
pub(crate) async fn get(
    ask: &Ask<'_>,
    key: String,
    gather: impl AsyncFn() -> Result<Vec<u8>, ApiError>,
) -> Result<Listed, ApiError> {
    if let Some(record) = read(&key).await
        && let Some(way) = quiet(ask, &record).await
    {
        return Ok(Listed {
            json: record.json,
            way,
        });
    }
    let own = RefCell::new(None);
    let (_, part) = flight::once(key.clone(), async || {
        let listed = Box::pin(refresh(ask, &key, &gather)).await?;
        own.replace(Some(listed));
        Ok(Vec::new())
    })
    .await?;
    if let Some(listed) = own.take() {
        return Ok(listed);
    }
    // Who led kept it, unless it is very long.
    let followed = Way::Asked.of(part);
    let Some(record) = read(&key).await else {
        let json = Box::pin(gather()).await?;
        return Ok(Listed {
            json,
            way: followed,
        });
    };
    Ok(Listed {
        json: record.json,
        // The origin failed since it said so, and who waited has to be told, too.
        way: if record.ask_at > 0 {
            Way::Stale
        } else {
            followed
        },
    })
}

/// Led by one at a time.
async fn refresh(
    ask: &Ask<'_>,
    key: &str,
    gather: &impl AsyncFn() -> Result<Vec<u8>, ApiError>,
) -> Result<Listed, ApiError> {
    let known = read(key).await;
    if let Some(record) = &known
        && let Some(way) = quiet(ask, record).await
    {
        let json = record.json.clone();
        return Ok(Listed { json, way });
    }
    let no_list = key::no_list(key, ask.client.as_ref());
    if known.is_none() {
        absences::check_at(ask, &no_list, ErrorKind::NameUnknown).await?;
    }
    let serves = known.filter(|record| worth(record, lifetime(ask)).serves_on_error());
    if let Some(record) = &serves
        && let Some(rest) = endpoints::resting(ask.upstream).await
    {
        return Ok(stale(key, record.clone(), now().saturating_add(rest)).await);
    }
    match (gather().await, serves) {
        (Ok(json), _) => {
            let record = ListRecord {
                checked_at: now(),
                ask_at: 0,
                json,
            };
            keep(key, &record).await;
            let way = Way::Asked;
            Ok(Listed {
                json: record.json,
                way,
            })
        }
        (Err(error), Some(record)) if is_outage(&error) => {
            eprintln!("a list of {} is served stale: {error}", ask.repository);
            Ok(stale(key, record, rests_until(now(), lifetime(ask))).await)
        }
        (Err(error), _) => {
            if error.kind() == ErrorKind::NameUnknown {
                records::delete(Label::Default, key).await;
            }
            absences::note_at(ask, &no_list, &error).await;
            Err(error)
        }
    }
}

async fn stale(key: &str, mut record: ListRecord, ask_at: u64) -> Listed {
    record.ask_at = ask_at;
    keep(key, &record).await;
    Listed {
        json: record.json,
        way: Way::Stale,
    }
}

/// How a kept list came, if the origin need not be asked before it is shown.
async fn quiet(ask: &Ask<'_>, record: &ListRecord) -> Option<Way> {
    let lifetime = lifetime(ask);
    let worth = match worth(record, lifetime) {
        Freshness::Expired { .. } => {
            let quota = endpoints::quota(ask.upstream).await;
            worth(record, quota.stretch(lifetime, now()))
        }
        worth => worth,
    };
    match worth {
        Freshness::Fresh(_) => Some(Way::Known),
        Freshness::Resting(_) => Some(Way::Stale),
        Freshness::StaleButServable | Freshness::Expired { .. } | Freshness::Dead => None,
    }
}

fn worth(record: &ListRecord, lifetime: Lifetime) -> Freshness {
    freshness(record.into(), now(), lifetime)
}

fn lifetime(ask: &Ask<'_>) -> Lifetime {
    let policy = ask.upstream.freshness();
    let lifetime = policy.lifetime(&ask.repository, None);
    if ask.wish.anew && policy.client_no_cache() {
        lifetime.asked_anew()
    } else {
        lifetime
    }
}

async fn read(key: &str) -> Option<ListRecord> {
    ListRecord::decode(&records::get(Label::Default, key).await?)
}

/// One that is too long is forgotten: it would else be served when it is old.
async fn keep(key: &str, record: &ListRecord) {
    if record.json.len() <= MAX_KEPT {
        records::set(Label::Default, key, &record.encode()).await;
    } else {
        records::delete(Label::Default, key).await;
    }
}
