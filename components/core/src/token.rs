//! Asking for tokens, and who may see a password.
//!
//! The token authentication of the distribution project ("Token Authentication
//! Specification", and "OAuth2 Token Authentication" for refresh tokens) and RFC 7617
//! (Basic). Secrets never print.

use crate::challenge::Bearer;
use crate::name::RepositoryName;
use crate::upstream::{QUERY_VALUE, Upstream};
use crate::uri::{Authority, Endpoint, HttpUri, Scheme};
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use std::fmt;

/// Longest answer of a token service that is read, in bytes. Tokens have a few KiB.
pub const MAX_RESPONSE: u32 = 64 * 1024;

/// Longest token, in bytes: it must fit a header field beside others.
const MAX_TOKEN: usize = 16 * 1024;

/// How long a token lasts that does not say so, in seconds (the specification's default).
const DEFAULT_LIFE: u64 = 60;

/// No token is kept longer, in seconds, whatever it says: a day bounds the harm
/// of a service that answers nonsense.
const MAX_LIFE: u64 = 24 * 3600;

/// A token is asked for anew so long before its end, in seconds, or a fifth of
/// its life if that is less: a request takes time to arrive.
const MARGIN: u64 = 30;

/// How long it is believed that an origin wants Basic, in seconds.
pub const BASIC_LIFE: u64 = 3600;

/// What we call ourselves where a token service wants to know (RFC 6749, section 2.2).
const CLIENT_ID: &str = "ledge";

/// Realms that get the password of an endpoint although they are other hosts.
/// Each pair is what the registry's own documentation and challenge name.
const PRESETS: [(&str, &str); 3] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("index.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
];

/// The value of an `Authorization` field. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(String);

impl Authorization {
    /// Name and password (RFC 7617).
    #[must_use]
    pub fn basic(username: &str, password: &str) -> Self {
        Self(http_auth::basic::encode_credentials(username, password))
    }

    /// A token (RFC 6750, section 2.1).
    #[must_use]
    pub fn bearer(token: &Token) -> Self {
        Self(format!("Bearer {}", token.text))
    }

    /// What a client sent: a scheme and something behind it (RFC 9110, section 11.4). `None` if
    /// that cannot be sent on.
    #[must_use]
    pub fn given(field: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(field).ok()?;
        let (scheme, rest) = text.split_once(' ')?;
        let sendable = !scheme.is_empty()
            && !rest.trim().is_empty()
            && text.len() <= MAX_TOKEN
            && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        sendable.then(|| Self(text.to_owned()))
    }

    /// The field's value.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(***)")
    }
}

/// A token, and when to ask for another. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    renew_at: u64,
}

/// Why there is no token in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The answer is no JSON object of the right shape.
    #[error("the token service's answer is not readable")]
    Json,
    /// There is neither `token` nor `access_token`.
    #[error("the token service's answer holds no token")]
    Missing,
    /// The token is too long for a header field, or has characters that none has.
    #[error("the token service's token cannot be sent")]
    Unusable,
}

#[derive(Deserialize)]
struct Response {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<serde_json::Number>,
}

impl Token {
    /// Reads a token service's answer that came at `now`.
    ///
    /// # Errors
    /// The answer is not readable, or has no token that can be sent.
    pub fn parse_response(json: &[u8], now: u64) -> Result<Self, TokenError> {
        let response: Response = serde_json::from_slice(json).map_err(|_| TokenError::Json)?;
        let given = [response.token, response.access_token];
        let text = given.into_iter().flatten().find(|t| !t.is_empty());
        let life = response
            .expires_in
            .and_then(|n| n.as_u64())
            .filter(|n| *n > 0);
        let life = life.unwrap_or(DEFAULT_LIFE).min(MAX_LIFE);
        let renew_at = now.saturating_add(life - MARGIN.min(life / 5));
        Self::new(text.ok_or(TokenError::Missing)?, renew_at)
    }

    /// A token that is to be renewed at a time.
    ///
    /// # Errors
    /// It cannot stand in a header field.
    pub fn new(text: String, renew_at: u64) -> Result<Self, TokenError> {
        let sendable = !text.is_empty()
            && text.len() <= MAX_TOKEN
            && text.bytes().all(|b| b.is_ascii_graphic());
        if sendable {
            Ok(Self { text, renew_at })
        } else {
            Err(TokenError::Unusable)
        }
    }

    /// The token itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// When to ask for another, in seconds since the epoch.
    #[must_use]
    pub const fn renew_at(&self) -> u64 {
        self.renew_at
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(***, renew at {})", self.renew_at)
    }
}

/// Path and query of the request for a token to pull from a repository.
#[must_use]
pub fn token_path(bearer: &Bearer, repository: &RepositoryName) -> String {
    let path = bearer.realm.path_and_query();
    let separator = if path.contains('?') { '&' } else { '?' };
    let wanted = wanted(bearer, repository);
    let wanted = wanted.iter().map(|(key, value)| (*key, value.as_str()));
    format!("{path}{separator}{}", form(wanted))
}

/// Body of the POST to the realm that gets a token for a refresh token
/// (`application/x-www-form-urlencoded`).
#[must_use]
pub fn refresh_form(bearer: &Bearer, repository: &RepositoryName, refresh_token: &str) -> String {
    let wanted = wanted(bearer, repository);
    let wanted = wanted.iter().map(|(key, value)| (*key, value.as_str()));
    let grant = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT_ID),
        ("refresh_token", refresh_token),
    ];
    form(wanted.chain(grant))
}

/// What the token is to be for.
fn wanted(bearer: &Bearer, repository: &RepositoryName) -> Vec<(&'static str, String)> {
    let service = bearer.service.clone().map(|service| ("service", service));
    let scope = ("scope", format!("repository:{repository}:pull"));
    service.into_iter().chain([scope]).collect()
}

/// `a=b&c=d`, the values percent-encoded.
fn form<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (key, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(key);
        text.push('=');
        text.extend(utf8_percent_encode(value, QUERY_VALUE));
    }
    text
}

/// Whether a realm may be asked at all: never in cleartext what the endpoint
/// asked for over TLS.
#[must_use]
pub fn may_ask(realm: &HttpUri, endpoint: &Endpoint) -> bool {
    realm.endpoint().scheme() == Scheme::Https || endpoint.scheme() == Scheme::Http
}

/// Whether an upstream's password may go to a realm that its endpoint named:
/// only where [`may_ask`], and only to the endpoint's own host and port, a
/// preset realm of that host over TLS, or a host that the operator trusts (on
/// any port, unless one is given).
#[must_use]
pub fn password_may_go_to(realm: &HttpUri, endpoint: &Endpoint, upstream: &Upstream) -> bool {
    let place = realm.endpoint();
    let trusted = |host: &Authority| {
        host.host() == place.authority().host()
            && host.port().is_none_or(|port| port == place.port())
    };
    let host = place.authority().host();
    let pair = (endpoint.authority().host(), host);
    let preset = PRESETS.contains(&pair) && place.scheme() == Scheme::Https && place.port() == 443;
    may_ask(realm, endpoint)
        && (place.same_place(endpoint) || preset || upstream.trusted_hosts().iter().any(trusted))
}

#[cfg(test)]
mod tests;
