//! How a scripted origin asks who is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::json;

/// What an origin asks for, and its token endpoint `/token` gives.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// Nothing, but the base path `/v2/` says 401 as the large registries do, by Basic authentication.
    Ping,
    /// `Basic user:password`.
    Basic(String),
    /// A token of the endpoint at `realm`.
    Bearer {
        /// An absolute URL.
        realm: String,
        /// `user:password` that the token endpoint here asks for; anonymous if `None`.
        credentials: Option<String>,
        /// Seconds.
        expires_in: u64,
    },
}

impl Auth {
    /// The challenge to a request that may not pass.
    pub(super) fn challenge(
        &self,
        headers: &HeaderMap,
        repository: &str,
        revoked: u64,
    ) -> Option<String> {
        let given = authorization(headers);
        match self {
            Self::None => None,
            Self::Ping => repository
                .is_empty()
                .then(|| "Basic realm=\"test\"".to_owned()),
            Self::Basic(credentials) => {
                (given != basic(credentials)).then(|| "Basic realm=\"test\"".to_owned())
            }
            Self::Bearer { realm, .. } => {
                let scope = format!("repository:{repository}:pull");
                let token = given
                    .strip_prefix("Bearer token-")
                    .and_then(|token| token.split_once('-'));
                let passes = token.is_some_and(|(number, granted)| {
                    number.parse().is_ok_and(|number: u64| number > revoked)
                        && (repository.is_empty() || granted == scope)
                });
                (!passes).then(|| {
                    format!("Bearer realm=\"{realm}\",service=\"test origin\",scope=\"{scope}\"")
                })
            }
        }
    }

    /// A token for the scope that the query names; `None` for a wrong password.
    pub(super) fn issue(&self, headers: &HeaderMap, query: &str, number: u64) -> Option<String> {
        let Self::Bearer {
            credentials,
            expires_in,
            ..
        } = self
        else {
            return None;
        };
        if credentials
            .as_ref()
            .is_some_and(|wanted| authorization(headers) != basic(wanted))
        {
            return None;
        }
        let scope = url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == "scope")?
            .1;
        Some(
            json!({ "token": format!("token-{number}-{scope}"), "expires_in": expires_in })
                .to_string(),
        )
    }
}

fn authorization(headers: &HeaderMap) -> &str {
    headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}
