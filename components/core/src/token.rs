//! Asking for tokens, and who may see a password.
//!
//! The token authentication of the distribution project ("Token Authentication
//! Specification") and RFC 7617 (Basic). Secrets never print.

use crate::challenge::Bearer;
use crate::config::Credentials;
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
    pub fn basic(credentials: &Credentials) -> Self {
        Self(http_auth::basic::encode_credentials(
            &credentials.username,
            &credentials.password,
        ))
    }

    /// A token (RFC 6750, section 2.1).
    #[must_use]
    pub fn bearer(token: &Token) -> Self {
        Self(format!("Bearer {}", token.text))
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
    let mut path = bearer.realm.path_and_query().to_owned();
    let mut separator = if path.contains('?') { '&' } else { '?' };
    let scope = format!("repository:{repository}:pull");
    let service = bearer.service.as_deref().map(|s| ("service", s));
    for (key, value) in service.into_iter().chain([("scope", scope.as_str())]) {
        path.push(separator);
        path.push_str(key);
        path.push('=');
        path.extend(utf8_percent_encode(value, QUERY_VALUE));
        separator = '&';
    }
    path
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
mod tests {
    use super::*;
    use crate::config::Registry;
    use proptest::prelude::*;

    fn uri(text: &str) -> HttpUri {
        HttpUri::parse(text).expect(text)
    }

    #[test]
    fn builds_the_request() {
        let name = RepositoryName::parse("library/alpine").expect("a name");
        let rows = [
            (
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                "/token?service=registry.docker.io&scope=repository%3Alibrary%2Falpine%3Apull",
            ),
            (
                "https://a/t?account=x",
                None,
                "/t?account=x&scope=repository%3Alibrary%2Falpine%3Apull",
            ),
            (
                "https://a",
                Some("a b&c"),
                "/?service=a%20b%26c&scope=repository%3Alibrary%2Falpine%3Apull",
            ),
        ];
        for (realm, service, path) in rows {
            let bearer = Bearer {
                realm: uri(realm),
                service: service.map(str::to_owned),
            };
            assert_eq!(token_path(&bearer, &name), path);
        }
    }

    #[test]
    fn reads_answers() {
        let rows = [
            (r#"{"token":"abc"}"#, "abc", 1048),
            (
                r#"{"access_token":"abc","expires_in":300,"issued_at":"2020-01-01T00:00:00Z"}"#,
                "abc",
                1270,
            ),
            (r#"{"token":"","access_token":"abc"}"#, "abc", 1048),
            (
                r#"{"token":"abc","access_token":"def","expires_in":10}"#,
                "abc",
                1008,
            ),
            (r#"{"token":"abc","expires_in":0}"#, "abc", 1048),
            (r#"{"token":"abc","expires_in":-5}"#, "abc", 1048),
            (r#"{"token":"abc","expires_in":1.5}"#, "abc", 1048),
            (r#"{"token":"abc","expires_in":null}"#, "abc", 1048),
            (
                r#"{"token":"abc","expires_in":18446744073709551615}"#,
                "abc",
                1000 + 86400 - 30,
            ),
        ];
        for (json, text, renew_at) in rows {
            let token = Token::parse_response(json.as_bytes(), 1000).expect(json);
            assert_eq!(
                (token.expose(), token.renew_at()),
                (text, renew_at),
                "{json}"
            );
        }
        let last = Token::parse_response(br#"{"token":"a"}"#, u64::MAX).expect("a token");
        assert_eq!(last.renew_at(), u64::MAX);
    }

    #[test]
    fn refuses_answers() {
        let long = format!(r#"{{"token":"{}"}}"#, "x".repeat(MAX_TOKEN + 1));
        let rows = [
            ("", TokenError::Json),
            ("[]", TokenError::Json),
            (r#"{"token":1}"#, TokenError::Json),
            ("{}", TokenError::Missing),
            (r#"{"token":null}"#, TokenError::Missing),
            (r#"{"token":"a b"}"#, TokenError::Unusable),
            (r#"{"token":"a\r\nX: y"}"#, TokenError::Unusable),
            (r#"{"token":"é"}"#, TokenError::Unusable),
            (&long, TokenError::Unusable),
        ];
        for (json, error) in rows {
            assert_eq!(
                Token::parse_response(json.as_bytes(), 0),
                Err(error),
                "{json}"
            );
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let credentials = Credentials {
            username: "Aladdin".to_owned(),
            password: "open sesame".to_owned(),
        };
        let basic = Authorization::basic(&credentials);
        assert_eq!(basic.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let token = Token::new("hunter2".to_owned(), 5).expect("a token");
        let bearer = Authorization::bearer(&token);
        assert_eq!(bearer.expose(), "Bearer hunter2");
        let shown = format!("{credentials:?} {basic:?} {token:?} {bearer:?}");
        assert_eq!(
            shown,
            "Credentials(***) Authorization(***) Token(***, renew at 5) Authorization(***)"
        );
    }

    #[test]
    fn passwords_stay_where_they_belong() {
        let json = r#"{"upstreams":[{"name":"a","endpoints":["https://a"],"trusted_hosts":["auth.example","tls.example:8443"]}]}"#;
        let upstreams = Registry::parse(json).expect("a configuration");
        let upstream = upstreams.find("a").expect("configured");
        let rows = [
            ("https://a.example/token", "https://a.example", true),
            ("https://a.example:443/token", "https://a.example", true),
            ("https://a.example:444/token", "https://a.example", false),
            ("http://a.example:443/token", "https://a.example", false),
            ("http://a.example/token", "http://a.example", true),
            ("https://a.example/token", "http://a.example", false),
            ("https://evil.example/token", "https://a.example", false),
            ("https://x.a.example/token", "https://a.example", false),
            (
                "https://auth.docker.io/token",
                "https://registry-1.docker.io",
                true,
            ),
            (
                "https://auth.docker.io:8443/token",
                "https://registry-1.docker.io",
                false,
            ),
            (
                "http://auth.docker.io/token",
                "https://registry-1.docker.io",
                false,
            ),
            (
                "http://auth.docker.io/token",
                "http://registry-1.docker.io",
                false,
            ),
            (
                "https://auth.docker.io/token",
                "https://evil.example",
                false,
            ),
            ("https://auth.example/t", "https://a.example", true),
            ("https://auth.example:8443/t", "https://a.example", true),
            ("http://auth.example/t", "https://a.example", false),
            ("https://tls.example:8443/t", "https://a.example", true),
            ("https://tls.example/t", "https://a.example", false),
        ];
        for (realm, endpoint, may) in rows {
            let endpoint = Endpoint::parse(endpoint).expect(endpoint);
            assert_eq!(
                password_may_go_to(&uri(realm), &endpoint, upstream),
                may,
                "{realm} {endpoint}"
            );
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(json in "\\{?(\"token\":|\"expires_in\":)?[\"a-z0-9,:}-]{0,40}|\\PC{0,60}", now: u64) {
            if let Ok(token) = Token::parse_response(json.as_bytes(), now) {
                prop_assert!(token.renew_at() >= now);
            }
        }
    }
}
