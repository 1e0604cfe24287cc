//! Whether a client may come in, where its own credentials decide: pass-through.
//!
//! The origin is asked for the header of the very object that is wanted, with what the client
//! showed. What it says is remembered for the client and the repository, in memory, by a hash of
//! what was shown. From there on the client is served as of a private upstream.

use crate::ask::Ask;
use crate::context::now;
use crate::endpoints;
use crate::failure::{is_outage, origin_failed, refused};
use crate::fetch::{self, Head};
use crate::origin::{Question, missing, sign_of_life};
use crate::records::{self, Label};
use crate::{absences, flight, grants, tag};
use ledge_core::admission::{Admission, Refusal, challenges, decode_lent, encode_lent};
use ledge_core::client::Client;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::health::Outcome;
use ledge_core::key;
use ledge_core::name::RepositoryName;
use ledge_core::reference::Reference;
use ledge_core::ticket::Object;
use ledge_core::upstream::Upstream;

/// What a client wants of a repository.
pub(crate) enum Wanted {
    /// An object.
    Object(Object),
    /// Its tags.
    Tags,
}

impl Wanted {
    fn path(&self, repository: &RepositoryName) -> String {
        match self {
            Self::Object(object) => object.path(repository),
            // One is enough to see whether they are shown.
            Self::Tags => format!("/v2/{repository}/tags/list?n=1"),
        }
    }
}

/// Lets a client in, if its origin does. Of other upstreams everybody is.
///
/// # Errors
/// The origin does not show this client what it wants, or could not be asked.
pub(crate) async fn enter(ask: &Ask<'_>, wanted: impl FnOnce() -> Wanted) -> Result<(), ApiError> {
    let Some(client) = &ask.client else {
        return Ok(());
    };
    let key = key::admission(ask.upstream, Some(&ask.repository), client);
    let known = read(&key).await;
    if let Some(known) = &known
        && now() < known.until()
    {
        return verdict(ask.upstream, known);
    }
    let wanted = wanted();
    let path = wanted.path(&ask.repository);
    let flight = key::admission_flight(ask.upstream, client, &path);
    let asked = flight::once(flight, async || {
        // Whoever led before may have asked.
        if let Some(known) = current(&key).await {
            return Ok(known.encode());
        }
        let admission = Box::pin(knock(ask, client, &wanted)).await?;
        records::set(Label::Volatile, &key, &admission.encode()).await;
        Ok(admission.encode())
    });
    settle(ask.upstream, asked.await.map(|(bytes, _)| bytes), known)
}

/// What the client showed passes no more: its origin is asked again the next time.
pub(crate) async fn forget(ask: &Ask<'_>) {
    if let Some(client) = &ask.client {
        let key = key::admission(ask.upstream, Some(&ask.repository), client);
        records::delete(Label::Volatile, &key).await;
    }
}

/// Lets a client look at the registry as a whole, as its origin does: most clients first ask
/// there what to show.
///
/// # Errors
/// As of [`enter`].
pub(crate) async fn enter_base(
    upstream: &Upstream,
    client: &Client,
    via: Option<&str>,
) -> Result<(), ApiError> {
    let key = key::admission(upstream, None, client);
    let known = read(&key).await;
    if let Some(known) = &known
        && now() < known.until()
    {
        return verdict(upstream, known);
    }
    let asked = flight::once(key.clone(), async || {
        // Whoever led before may have asked.
        if let Some(known) = current(&key).await {
            return Ok(known.encode());
        }
        let admission = Box::pin(knock_at_base(upstream, client, via)).await?;
        records::set(Label::Volatile, &key, &admission.encode()).await;
        Ok(admission.encode())
    });
    settle(upstream, asked.await.map(|(bytes, _)| bytes), known)
}

/// What the last client that was let into a repository showed.
///
/// # Errors
/// None was for long.
pub(crate) async fn lent(
    upstream: &Upstream,
    repository: &RepositoryName,
) -> Result<Client, String> {
    let bytes = records::get(Label::Volatile, &key::lent(upstream, repository)).await;
    let lent = bytes.and_then(|bytes| decode_lent(&bytes, now()));
    lent.map(Client::new)
        .ok_or_else(|| "no client's credentials are known".to_owned())
}

/// What is known and still believed.
async fn current(key: &str) -> Option<Admission> {
    read(key).await.filter(|known| now() < known.until())
}

async fn read(key: &str) -> Option<Admission> {
    Admission::decode(&records::get(Label::Volatile, key).await?)
}

/// What follows from what the origin said. Where it could not be asked, a refusal still holds:
/// from it a client learns what to show.
fn settle(
    upstream: &Upstream,
    asked: Result<Vec<u8>, ApiError>,
    known: Option<Admission>,
) -> Result<(), ApiError> {
    match (asked, known) {
        (Ok(bytes), _) => match Admission::decode(&bytes) {
            Some(admission) => verdict(upstream, &admission),
            None => Err(origin_failed(upstream.name(), "gave no clear answer")),
        },
        (Err(error), Some(known @ Admission::Refused { .. })) if is_outage(&error) => {
            verdict(upstream, &known)
        }
        (Err(error), _) => Err(error),
    }
}

fn verdict(upstream: &Upstream, admission: &Admission) -> Result<(), ApiError> {
    let Admission::Refused { refusal, .. } = admission else {
        return Ok(());
    };
    let error = refused(upstream.name(), refusal.status(), ErrorKind::NameUnknown);
    Err(match refusal {
        Refusal::Unauthorized(challenges) => error.challenging(challenges.clone()),
        Refusal::Denied => error,
    })
}

/// Asks the origin whether it shows the client what it wants, and keeps what it says beside that.
async fn knock(ask: &Ask<'_>, client: &Client, wanted: &Wanted) -> Result<Admission, ApiError> {
    let upstream = ask.upstream;
    let status = match look(ask, wanted).await {
        Ok(status) => status,
        Err(error) if error.kind() == ErrorKind::Unauthorized => {
            let challenges = error.challenges().to_vec();
            return Ok(refusal(upstream, Refusal::Unauthorized(challenges)));
        }
        Err(error) => return Err(error),
    };
    match status {
        200 => {}
        403 => return Ok(refusal(upstream, Refusal::Denied)),
        // Whether there is none, or none for this client, is not said: nobody is let in.
        status => {
            let Wanted::Object(object) = wanted else {
                return Err(refused(upstream.name(), status, ErrorKind::NameUnknown));
            };
            let error = refused(upstream.name(), status, missing(object));
            return absences::noted(ask, object, Err(error)).await;
        }
    }
    let until = now().saturating_add(upstream.allowed_seconds());
    let shown = encode_lent(client.authorization(), until);
    records::set(
        Label::Volatile,
        &key::lent(upstream, &ask.repository),
        &shown,
    )
    .await;
    Ok(Admission::LetIn { until })
}

fn refusal(upstream: &Upstream, refusal: Refusal) -> Admission {
    let until = now().saturating_add(upstream.freshness().negative());
    Admission::Refused { until, refusal }
}

/// The origin's status for what is wanted.
async fn look(ask: &Ask<'_>, wanted: &Wanted) -> Result<u16, ApiError> {
    if let Wanted::Object(object) = wanted {
        absences::check(ask, object).await?;
        match fetch::try_head(ask, object).await? {
            Ok(head) => {
                learn(ask, object, head).await;
                return Ok(200);
            }
            // It knows no HEAD.
            Err(400 | 405) => {}
            Err(status) => return Ok(status),
        }
    }
    let path = Wanted::Tags.path(&ask.repository);
    let question = Question {
        head: false,
        path: &path,
        accept: Some("application/json"),
    };
    let reply = ask.in_time(ask.origin().ask(&question)).await?;
    Ok(reply.status)
}

/// What was seen need not be asked for again.
async fn learn(ask: &Ask<'_>, object: &Object, head: Head) {
    match object {
        Object::Manifest(Reference::Tag(tag)) => tag::seen(ask, tag, head).await,
        Object::Manifest(Reference::Digest(digest)) => grants::shown(ask, digest, &head).await,
        Object::Blob(digest) => {
            // What type it says that a blob has is nobody's concern.
            let head = Head {
                media_type: None,
                ..head
            };
            grants::shown(ask, digest, &head).await;
        }
    }
}

async fn knock_at_base(
    upstream: &Upstream,
    client: &Client,
    via: Option<&str>,
) -> Result<Admission, ApiError> {
    let mut last = origin_failed(upstream.name(), "has no endpoint");
    for index in endpoints::in_order(upstream).await.tries {
        let Some(endpoint) = upstream.endpoints().get(index) else {
            continue;
        };
        let reply = match sign_of_life(upstream, endpoint, client.authorization(), via).await {
            Ok(reply) => reply,
            Err(error) => {
                last = error;
                continue;
            }
        };
        match (reply.status, Outcome::of_status(reply.status)) {
            (401, _) => {
                let fields = reply.values("www-authenticate");
                let challenges = challenges(fields.iter().map(Vec::as_slice));
                return Ok(refusal(upstream, Refusal::Unauthorized(challenges)));
            }
            (403, _) => return Ok(refusal(upstream, Refusal::Denied)),
            (status, Outcome::Failed) => {
                last = refused(upstream.name(), status, ErrorKind::NameUnknown);
            }
            (_, Outcome::Answered) => {
                let until = now().saturating_add(upstream.allowed_seconds());
                return Ok(Admission::LetIn { until });
            }
        }
    }
    Err(last)
}
