//! Tokens: kept in memory until shortly before they expire, got once however
//! many need them.

use crate::ask::field;
use crate::bindings::wasi::http::client;
use crate::bindings::wasi::http::types::Request;
use crate::context::now;
use crate::failure::{origin_failed, refused, unreachable};
use crate::origin::{Origin, Reply, request};
use crate::records::{self, Label};
use crate::{credentials, flight, post};
use ledge_core::admission::challenges as challenges_of;
use ledge_core::challenge::{Bearer, Challenge};
use ledge_core::config::Secret;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::key;
use ledge_core::record::{Access, decode_challenge, encode_challenge};
use ledge_core::token::{
    Authorization, BASIC_LIFE, MAX_RESPONSE, Token, may_ask, password_may_go_to, refresh_form,
    token_path,
};
use ledge_core::uri::Endpoint;

/// What is known to open the repository at an endpoint, so that no 401 is needed.
/// An endpoint whose challenge is known is asked for a token at once.
///
/// # Errors
/// The credentials cannot be had. Who asked without them might be told what is not so.
pub(crate) async fn known(
    origin: &Origin<'_>,
    endpoint: &Endpoint,
) -> Result<Option<Authorization>, ApiError> {
    if let Some(client) = origin.client {
        return Ok(client.authorization().cloned());
    }
    let asker = Asker::new(origin, endpoint).await?;
    if let Some(token) = asker.registry_token()? {
        return Ok(Some(token));
    }
    if let Some(access) = asker.cached().await {
        return Ok(asker.authorization(&access));
    }
    let challenge_key = key::challenge(origin.upstream, endpoint);
    let record = records::get(Label::Volatile, &challenge_key).await;
    let Some(bearer) = record.and_then(|record| decode_challenge(&record)) else {
        return Ok(None);
    };
    let obtained = asker.obtain(&Challenge::Bearer(bearer), None).await;
    if obtained.is_err() {
        // Perhaps the challenge is old, or this repository needs no token: the
        // origin says in its own words what it wants.
        records::delete(Label::Volatile, &challenge_key).await;
    }
    Ok(obtained.ok())
}

/// What opens the repository at an endpoint that answered 401 with these
/// challenges to `used`. Where our credentials do not, and there are others by now,
/// it is tried with those.
///
/// # Errors
/// No challenge can be met, or the token service has no token for us, or the
/// credentials cannot be had.
pub(crate) async fn renew(
    origin: &Origin<'_>,
    endpoint: &Endpoint,
    challenges: &[Vec<u8>],
    used: Option<&Authorization>,
) -> Result<Authorization, ApiError> {
    let fields = || challenges.iter().map(Vec::as_slice);
    if origin.client.is_some() {
        // Only the client can do something about it.
        let error = refused(origin.upstream.name(), 401, ErrorKind::NameUnknown);
        return Err(error.challenging(challenges_of(fields())));
    }
    let challenge = Challenge::parse(fields());
    let challenge = challenge.ok_or_else(|| unauthorized(origin))?;
    if let Challenge::Bearer(bearer) = &challenge {
        records::set(
            Label::Volatile,
            &key::challenge(origin.upstream, endpoint),
            &encode_challenge(bearer),
        )
        .await;
    }
    let asker = Asker::new(origin, endpoint).await?;
    match asker.obtain(&challenge, used).await {
        Err(error) if error.kind() == ErrorKind::Unauthorized => {
            let secret = credentials::after_refusal(origin.upstream).await?;
            if secret == asker.secret {
                return Err(error);
            }
            Asker { secret, ..asker }.obtain(&challenge, used).await
        }
        other => other,
    }
}

/// What may open the repository at an endpoint that answered 403 to `used`, where that is
/// something else: ECR says 403 to a password that has expired. Where our credentials come from
/// is asked again.
///
/// # Errors
/// As of [`known`].
pub(crate) async fn instead(
    origin: &Origin<'_>,
    endpoint: &Endpoint,
    used: Option<&Authorization>,
) -> Result<Option<Option<Authorization>>, ApiError> {
    if origin.upstream.credentials().is_none() {
        return Ok(None);
    }
    credentials::after_refusal(origin.upstream).await?;
    let known = known(origin, endpoint).await?;
    Ok((known.as_ref() != used).then_some(known))
}

/// Whoever wants to be let in at an endpoint.
struct Asker<'a> {
    origin: &'a Origin<'a>,
    endpoint: &'a Endpoint,
    secret: Option<Secret>,
}

impl<'a> Asker<'a> {
    async fn new(origin: &'a Origin<'a>, endpoint: &'a Endpoint) -> Result<Self, ApiError> {
        Ok(Self {
            origin,
            endpoint,
            secret: credentials::now(origin.upstream).await?,
        })
    }

    fn key(&self) -> String {
        let Origin {
            upstream,
            repository,
            ..
        } = self.origin;
        key::access(upstream, self.endpoint, repository, self.secret.as_ref())
    }

    async fn obtain(
        &self,
        challenge: &Challenge,
        used: Option<&Authorization>,
    ) -> Result<Authorization, ApiError> {
        let access = match self.registry_token()? {
            Some(token) => Some(token),
            None => self.once(challenge, used).await?,
        };
        // The same again would be refused again.
        access
            .filter(|access| Some(access) != used)
            .ok_or_else(|| unauthorized(self.origin))
    }

    async fn once(
        &self,
        challenge: &Challenge,
        used: Option<&Authorization>,
    ) -> Result<Option<Authorization>, ApiError> {
        let key = self.key();
        let found = flight::once(key.clone(), async || {
            let access = match self.cached().await {
                Some(access) if self.authorization(&access).as_ref() != used => access,
                _ => self.meet(challenge).await?,
            };
            let bytes = access.encode();
            records::set(Label::Volatile, &key, &bytes).await;
            Ok(bytes)
        });
        let (bytes, _) = found.await?;
        Ok(Access::decode(&bytes).and_then(|access| self.authorization(&access)))
    }

    async fn cached(&self) -> Option<Access> {
        let record = records::get(Label::Volatile, &self.key()).await?;
        Access::decode(&record).filter(|access| access.renew_at() > now())
    }

    fn authorization(&self, access: &Access) -> Option<Authorization> {
        match (access, &self.secret) {
            (Access::Bearer(token), _) => Some(Authorization::bearer(token)),
            (Access::Basic { .. }, Some(Secret::Password { username, password })) => {
                Some(Authorization::basic(username, password))
            }
            (Access::Basic { .. }, _) => None,
        }
    }

    /// The token that the registry takes as it is, if that is what we have.
    fn registry_token(&self) -> Result<Option<Authorization>, ApiError> {
        let Some(Secret::RegistryToken { registry_token }) = &self.secret else {
            return Ok(None);
        };
        // Nobody says when it ends.
        match Token::new(registry_token.clone(), u64::MAX) {
            Ok(token) => Ok(Some(Authorization::bearer(&token))),
            Err(error) => {
                let upstream = self.origin.upstream.name();
                eprintln!("upstream {upstream}: its registry token cannot be used: {error}");
                Err(unauthorized(self.origin))
            }
        }
    }

    async fn meet(&self, challenge: &Challenge) -> Result<Access, ApiError> {
        match (challenge, &self.secret) {
            (Challenge::Basic, Some(Secret::Password { .. })) => Ok(Access::Basic {
                renew_at: now().saturating_add(BASIC_LIFE),
            }),
            (Challenge::Basic, _) => Err(unauthorized(self.origin)),
            (Challenge::Bearer(bearer), _) => self.fetch(bearer).await.map(Access::Bearer),
        }
    }

    async fn fetch(&self, bearer: &Bearer) -> Result<Token, ApiError> {
        let upstream = self.origin.upstream.name();
        if !may_ask(&bearer.realm, self.endpoint) {
            return Err(origin_failed(
                upstream,
                "asks for a token over an unprotected connection",
            ));
        }
        let sent = client::send(self.request(bearer)?).await;
        let response = sent.map_err(|error| unreachable(upstream, &error))?;
        let reply = Reply::new(bearer.realm.endpoint(), response);
        match reply.status {
            200 => {}
            // A token service that wants a password says so in many ways.
            400 | 401 | 403 | 404 => return Err(unauthorized(self.origin)),
            status => return Err(refused(upstream, status, ErrorKind::OriginFailed)),
        }
        let asked_at = now();
        let json = reply.body(MAX_RESPONSE, upstream).await?;
        Token::parse_response(&json, asked_at).map_err(|error| {
            eprintln!("upstream {upstream}: {error}");
            origin_failed(upstream, "has a token service that sent no token")
        })
    }

    fn request(&self, bearer: &Bearer) -> Result<Request, ApiError> {
        let repository = self.origin.repository;
        let mut fields = vec![field("accept", "application/json")];
        match self.secret_for(bearer) {
            Some(Secret::IdentityToken { identity_token }) => {
                let form = refresh_form(bearer, repository, identity_token);
                return post::form(&bearer.realm, form);
            }
            Some(Secret::Password { username, password }) => {
                let basic = Authorization::basic(username, password);
                fields.push(field("authorization", basic.expose()));
            }
            // That is for the registry alone.
            Some(Secret::RegistryToken { .. }) | None => {}
        }
        let path = token_path(bearer, repository);
        request(false, bearer.realm.endpoint(), &path, &fields)
    }

    /// What the token service may see of our credentials.
    fn secret_for(&self, bearer: &Bearer) -> Option<&Secret> {
        let secret = self.secret.as_ref()?;
        let upstream = self.origin.upstream;
        if password_may_go_to(&bearer.realm, self.endpoint, upstream) {
            return Some(secret);
        }
        eprintln!(
            "upstream {}: {} asks for the credentials and is not among the trusted hosts: asking it without",
            upstream.name(),
            bearer.realm.endpoint(),
        );
        None
    }
}

fn unauthorized(origin: &Origin<'_>) -> ApiError {
    refused(origin.upstream.name(), 401, ErrorKind::NameUnknown)
}
