//! Tokens: kept in memory until shortly before they expire, got once however
//! many need them.

use crate::ask::field;
use crate::bindings::wasi::http::client;
use crate::context::now;
use crate::failure::{origin_failed, refused, unreachable};
use crate::flight;
use crate::origin::{Origin, Reply, request};
use crate::records::{self, Label};
use crate::respond::Fields;
use ledge_core::challenge::{Bearer, Challenge};
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::key;
use ledge_core::record::{Access, decode_challenge, encode_challenge};
use ledge_core::token::{
    Authorization, BASIC_LIFE, MAX_RESPONSE, Token, may_ask, password_may_go_to, token_path,
};
use ledge_core::uri::Endpoint;

/// What is known to open the repository at an endpoint, so that no 401 is needed.
/// An endpoint whose challenge is known is asked for a token at once.
pub(crate) async fn known(origin: &Origin<'_>, endpoint: &Endpoint) -> Option<Authorization> {
    let key = key::access(origin.upstream, endpoint, origin.repository);
    if let Some(access) = cached(&key).await {
        return authorization(origin, &access);
    }
    let challenge_key = key::challenge(origin.upstream, endpoint);
    let bearer = decode_challenge(&records::get(Label::Volatile, &challenge_key).await?)?;
    match obtain(origin, endpoint, Challenge::Bearer(bearer), None).await {
        Ok(access) => Some(access),
        Err(_) => {
            // Perhaps the challenge is old, or this repository needs no token: the
            // origin says in its own words what it wants.
            records::delete(Label::Volatile, &challenge_key).await;
            None
        }
    }
}

/// What opens the repository at an endpoint that answered 401 with these
/// challenges to `used`.
///
/// # Errors
/// No challenge can be met, or the token service has no token for us.
pub(crate) async fn renew(
    origin: &Origin<'_>,
    endpoint: &Endpoint,
    challenges: &[Vec<u8>],
    used: Option<&Authorization>,
) -> Result<Authorization, ApiError> {
    let challenge = Challenge::parse(challenges.iter().map(Vec::as_slice));
    let challenge = challenge.ok_or_else(|| unauthorized(origin))?;
    if let Challenge::Bearer(bearer) = &challenge {
        records::set(
            Label::Volatile,
            &key::challenge(origin.upstream, endpoint),
            &encode_challenge(bearer),
        )
        .await;
    }
    obtain(origin, endpoint, challenge, used).await
}

async fn obtain(
    origin: &Origin<'_>,
    endpoint: &Endpoint,
    challenge: Challenge,
    used: Option<&Authorization>,
) -> Result<Authorization, ApiError> {
    let key = key::access(origin.upstream, endpoint, origin.repository);
    let found = flight::once(key.clone(), async || {
        let access = match cached(&key).await {
            Some(access) if authorization(origin, &access).as_ref() != used => access,
            _ => meet(origin, endpoint, challenge).await?,
        };
        let bytes = access.encode();
        records::set(Label::Volatile, &key, &bytes).await;
        Ok(bytes)
    });
    let (bytes, _) = found.await?;
    let access = Access::decode(&bytes);
    let access = access.and_then(|access| authorization(origin, &access));
    // The same again would be refused again.
    access
        .filter(|access| Some(access) != used)
        .ok_or_else(|| unauthorized(origin))
}

async fn cached(key: &str) -> Option<Access> {
    let record = records::get(Label::Volatile, key).await?;
    Access::decode(&record).filter(|access| access.renew_at() > now())
}

fn authorization(origin: &Origin<'_>, access: &Access) -> Option<Authorization> {
    match access {
        Access::Bearer(token) => Some(Authorization::bearer(token)),
        Access::Basic { .. } => origin.upstream.credentials().map(Authorization::basic),
    }
}

async fn meet(
    origin: &Origin<'_>,
    endpoint: &Endpoint,
    challenge: Challenge,
) -> Result<Access, ApiError> {
    match challenge {
        Challenge::Basic if origin.upstream.is_private() => Ok(Access::Basic {
            renew_at: now().saturating_add(BASIC_LIFE),
        }),
        Challenge::Basic => Err(unauthorized(origin)),
        Challenge::Bearer(bearer) => fetch(origin, endpoint, &bearer).await.map(Access::Bearer),
    }
}

async fn fetch(
    origin: &Origin<'_>,
    endpoint: &Endpoint,
    bearer: &Bearer,
) -> Result<Token, ApiError> {
    let upstream = origin.upstream.name();
    if !may_ask(&bearer.realm, endpoint) {
        return Err(origin_failed(
            upstream,
            "asks for a token over an unprotected connection",
        ));
    }
    let path = token_path(bearer, origin.repository);
    let request = request(
        false,
        bearer.realm.endpoint(),
        &path,
        &fields(origin, endpoint, bearer),
    )?;
    let sent = client::send(request).await;
    let response = sent.map_err(|error| unreachable(upstream, &error))?;
    let reply = Reply::new(bearer.realm.endpoint(), response);
    match reply.status {
        200 => {}
        // A token service that wants a password says so in many ways.
        400 | 401 | 403 | 404 => return Err(unauthorized(origin)),
        status => return Err(refused(upstream, status, ErrorKind::OriginFailed)),
    }
    let asked_at = now();
    let json = reply.body(MAX_RESPONSE, upstream).await?;
    Token::parse_response(&json, asked_at).map_err(|error| {
        eprintln!("upstream {upstream}: {error}");
        origin_failed(upstream, "has a token service that sent no token")
    })
}

fn fields(origin: &Origin<'_>, endpoint: &Endpoint, bearer: &Bearer) -> Fields {
    let mut fields = vec![field("accept", "application/json")];
    let Some(credentials) = origin.upstream.credentials() else {
        return fields;
    };
    if password_may_go_to(&bearer.realm, endpoint, origin.upstream) {
        fields.push(field(
            "authorization",
            Authorization::basic(credentials).expose(),
        ));
    } else {
        eprintln!(
            "upstream {}: {} asks for the password and is not among the trusted hosts: asking it without",
            origin.upstream.name(),
            bearer.realm.endpoint(),
        );
    }
    fields
}

fn unauthorized(origin: &Origin<'_>) -> ApiError {
    refused(origin.upstream.name(), 401, ErrorKind::NameUnknown)
}
