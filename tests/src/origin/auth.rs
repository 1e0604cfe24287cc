//! How a scripted origin asks who is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use serde_json::{Value, json};
use url::form_urlencoded;

/// What an origin asks for, and its token endpoint gives.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// Nothing, but the base path `/v2/` says 401 as the large registries do, by Basic authentication.
    Ping,
    /// `Basic user:password`.
    Basic(String),
    /// The same, but a password that is not right is answered 403, as by ECR when it has expired.
    Expiring(String),
    /// A token that was given beforehand.
    Token(String),
    /// A token of the endpoint at `realm`; its path here is `/token`.
    Bearer {
        /// An absolute URL.
        realm: String,
        /// `user:password` that the token endpoint here asks for; anonymous if `None`.
        credentials: Option<String>,
        /// Seconds.
        expires_in: u64,
    },
    /// A token of a service with ways of its own.
    Service(TokenService),
}

/// A token service as one of the world's registries has it.
#[derive(Debug, Clone)]
pub struct TokenService {
    /// Where it is: an absolute URL.
    pub realm: String,
    /// What it calls the registry; requests have to.
    pub service: &'static str,
    /// The scope of challenges; `{}` is the repository.
    pub scope: &'static str,
    /// Who gets a token.
    pub grant: Grant,
    /// Its answer with a token.
    pub answer: fn(&str) -> Value,
}

/// Who gets a token.
#[derive(Debug, Clone)]
pub enum Grant {
    /// Whoever asks by GET.
    Anyone,
    /// `user:password`, by GET.
    Password(String),
    /// This refresh token, by POST.
    Refresh(String),
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
        let scope = format!("repository:{repository}:pull");
        match self {
            Self::None => None,
            Self::Ping => repository
                .is_empty()
                .then(|| "Basic realm=\"test\"".to_owned()),
            Self::Expiring(_) => given.is_empty().then(|| "Basic realm=\"test\"".to_owned()),
            Self::Basic(credentials) => {
                (given != basic(credentials)).then(|| "Basic realm=\"test\"".to_owned())
            }
            Self::Token(token) => (given != format!("Bearer {token}"))
                .then(|| "Bearer realm=\"http://127.0.0.1:9/\",service=\"test\"".to_owned()),
            Self::Bearer { realm, .. } => (!passes(given, repository, revoked)).then(|| {
                format!("Bearer realm=\"{realm}\",service=\"test origin\",scope=\"{scope}\"")
            }),
            Self::Service(service) => (!passes(given, repository, revoked)).then(|| {
                let (realm, name) = (&service.realm, service.service);
                let scope = service.scope.replace("{}", repository);
                format!("Bearer realm=\"{realm}\",service=\"{name}\",scope=\"{scope}\"")
            }),
        }
    }

    /// Whether a request is denied, whatever it is for.
    pub(super) fn denies(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Expiring(credentials) => authorization(headers) != basic(credentials),
            _ => false,
        }
    }

    /// Whether tokens are given there.
    pub(super) fn is_token_path(&self, path: &str) -> bool {
        match self {
            Self::Service(service) => {
                let realm = url::Url::parse(&service.realm);
                realm.is_ok_and(|realm| realm.path() == path)
            }
            _ => path == "/token",
        }
    }

    /// A token for the scope that is asked for; `None` for a wrong password.
    pub(super) fn issue(&self, request: &Request<Bytes>, number: u64) -> Option<String> {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let given = authorization(request.headers());
        match self {
            Self::Bearer {
                credentials,
                expires_in,
                ..
            } => {
                let wanted = credentials.as_deref().map(basic);
                wanted.is_none_or(|wanted| wanted == given).then_some(())?;
                let scope = value(query, "scope")?;
                let token = format!("token-{number}-{scope}");
                Some(json!({ "token": token, "expires_in": expires_in }).to_string())
            }
            Self::Service(service) => {
                let is_post = request.method() == Method::POST;
                let asked = if is_post { request.body() } else { query };
                let may = match &service.grant {
                    Grant::Anyone => !is_post && given.is_empty(),
                    Grant::Password(wanted) => !is_post && given == basic(wanted),
                    Grant::Refresh(wanted) => {
                        is_post
                            && value(asked, "grant_type").as_deref() == Some("refresh_token")
                            && value(asked, "client_id").is_some()
                            && value(asked, "refresh_token").as_ref() == Some(wanted)
                    }
                };
                let known = value(asked, "service").as_deref() == Some(service.service);
                (may && known).then_some(())?;
                let scope = value(asked, "scope")?;
                Some((service.answer)(&format!("token-{number}-{scope}")).to_string())
            }
            _ => None,
        }
    }
}

/// Whether the field holds a token of ours for the repository that was not revoked.
fn passes(given: &str, repository: &str, revoked: u64) -> bool {
    let scope = format!("repository:{repository}:pull");
    let token = given
        .strip_prefix("Bearer token-")
        .and_then(|token| token.split_once('-'));
    token.is_some_and(|(number, granted)| {
        number.parse().is_ok_and(|number: u64| number > revoked)
            && (repository.is_empty() || granted == scope)
    })
}

/// A field of a query or a form.
fn value(form: &[u8], key: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(form);
    Some(pairs.find(|(name, _)| name == key)?.1.into_owned())
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
