//! The registry's configuration, as it crosses the border to the component.
//!
//! The host makes it from its own files and flags and hands it over as JSON in
//! the variable [`VARIABLE`]; the component parses it once per instance into
//! [`Upstreams`].

pub use crate::credentials::{self, Credentials, Secret};
use crate::name::{RepositoryName, Tag};
use crate::pattern::Pattern;
pub use crate::pattern::PatternError;
pub use crate::platform::{PlatformError, PlatformPattern};
pub use crate::prefetch::Prefetch;
pub use crate::rules::{Action, RuleName, RuleNameError};
use crate::upstream::{UpstreamError, Upstreams};
use serde::{Deserialize, Serialize};

/// The variable that holds the JSON of a [`Registry`].
pub const VARIABLE: &str = "ledge_registry";

/// Which repositories, as the origin calls them.
pub type RepositoryPattern = Pattern<RepositoryName>;

/// Which tags.
pub type TagPattern = Pattern<Tag>;

/// How long a tag is fresh unless configured otherwise, in seconds: ten minutes, so
/// that a rollout asks the origin once, and a moved tag is seen within a coffee break.
pub const DEFAULT_FRESH_SECONDS: u64 = 600;

/// How long after that clients are answered while the origin is asked: not at all.
/// So `fresh` says how old a tag can be while its origin answers; a tag that is
/// pulled rarely would else be answered with what it meant long before.
pub const DEFAULT_STALE_WHILE_REVALIDATE_SECONDS: u64 = 0;

/// How long a stale tag serves while the origin does not answer, in seconds: a month.
/// A site that is cut off goes on; an origin that is away for longer is gone, and
/// what it withdrew meanwhile is not served for ever.
pub const DEFAULT_STALE_IF_ERROR_SECONDS: u64 = 30 * 24 * 3600;

/// How long it is remembered that an origin does not show something, in seconds:
/// half a minute, so that a cluster that tries a wrong name again and again costs
/// two questions a minute, and what is pushed now can be pulled soon.
pub const DEFAULT_NEGATIVE_SECONDS: u64 = 30;

/// How long it is remembered that an origin let a client of its own credentials in, in
/// seconds: ten minutes, so that a pull of many layers costs one question, and a right that
/// is taken back is gone as soon as a moved tag is seen.
pub const DEFAULT_ALLOWED_SECONDS: u64 = 600;

/// How long a client's request may wait for its origin, in milliseconds: containerd 2.3 gives up
/// on a mirror after 30 s, and what is stale has to be sent before.
pub const DEFAULT_PATIENCE_MS: u64 = 22_500;

/// What the registry component is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// The upstream of requests that name none.
    #[serde(default)]
    pub default_upstream: Option<String>,
    /// What this mirror calls itself to others in `Via`, like nobody else; without a name circles
    /// of mirrors are not seen.
    #[serde(default)]
    pub name: Option<String>,
    /// All the upstreams there are.
    #[serde(default)]
    pub upstreams: Vec<Upstream>,
    /// What may be pulled; the first that matches counts, and with none all may.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// How long a client's request may wait for its origin, with all that is tried, in
    /// milliseconds. Then what is stale serves, or the client is told who was late.
    #[serde(default = "default_patience_ms")]
    pub patience_ms: u64,
}

/// Whether something may be pulled. What is not given matches all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What clients are told that it denies.
    pub name: RuleName,
    /// Whether it allows or denies.
    pub action: Action,
    /// The name or an alias of the upstream that it is about.
    #[serde(default)]
    pub upstream: Option<String>,
    /// In which repositories, as the origin calls them.
    #[serde(default)]
    pub repository: Option<RepositoryPattern>,
    /// Which tags.
    #[serde(default)]
    pub tag: Option<TagPattern>,
    /// Which platforms of an index.
    #[serde(default)]
    pub platform: Option<PlatformPattern>,
}

/// One registry that is mirrored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// What `ns=` and path prefixes call it: `docker.io`.
    pub name: String,
    /// Other names for it: `index.docker.io`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// `scheme://authority`, no path; tried in order.
    pub endpoints: Vec<String>,
    /// Put before names of one component: `library` at docker.io.
    #[serde(default)]
    pub official_prefix: Option<String>,
    /// What the mirror shows of itself, also while there is nothing to be had.
    #[serde(default)]
    pub credentials: Option<Credentials>,
    /// By whose rights it is pulled from; [`Access::Shared`] with credentials, else
    /// [`Access::Public`], unless it is said.
    #[serde(default)]
    pub access: Option<Access>,
    /// Repositories of an upstream with credentials that everybody may see at the origin too.
    #[serde(default)]
    pub public: Vec<RepositoryPattern>,
    /// How long it is remembered in pass-through that the origin let a client into a
    /// repository, in seconds.
    #[serde(default = "default_allowed_seconds")]
    pub allowed_seconds: u64,
    /// `host` or `host:port` that may get the password as a token realm.
    #[serde(default)]
    pub trusted_hosts: Vec<String>,
    /// How long a tag is fresh, in seconds.
    #[serde(default = "default_fresh_seconds")]
    pub fresh_seconds: u64,
    /// How long after that clients are answered while the origin is asked, in seconds.
    #[serde(default = "default_stale_while_revalidate_seconds")]
    pub stale_while_revalidate_seconds: u64,
    /// How long after it was fresh a tag serves when the origin does not answer, in seconds.
    #[serde(default = "default_stale_if_error_seconds")]
    pub stale_if_error_seconds: u64,
    /// How long it is remembered that the origin does not show something, in seconds.
    #[serde(default = "default_negative_seconds")]
    pub negative_seconds: u64,
    /// Whether `Cache-Control: no-cache` of a client makes the origin be asked.
    #[serde(default)]
    pub client_no_cache: bool,
    /// What of an image is fetched when a client has got its manifest.
    #[serde(default)]
    pub prefetch: Prefetch,
    /// For how long which tags are fresh instead; the first that matches counts.
    #[serde(default)]
    pub freshness: Vec<FreshnessRule>,
}

/// By whose rights an upstream is pulled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// By anybody's: what it has, everybody may see.
    Public,
    /// By this mirror's own, for whoever may use this mirror. It is private: what came from it
    /// is served only through the repository in which the origin showed it.
    Shared,
    /// By those of each client, which the origin judges. It is private too.
    PassThrough,
}

/// For how long some tags are fresh. What is not given matches all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshnessRule {
    /// In which repositories, as the origin calls them.
    #[serde(default)]
    pub repository: Option<RepositoryPattern>,
    /// Which tags.
    #[serde(default)]
    pub tag: Option<TagPattern>,
    /// How long, in seconds.
    pub fresh_seconds: u64,
}

/// Why a configuration cannot be used. The text shows no secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The JSON is no [`Registry`].
    #[error("the registry's configuration is not readable at line {line}, column {column}")]
    Json {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
    },
    /// An upstream cannot be used.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl Registry {
    /// Parses the JSON and indexes what it says.
    ///
    /// # Errors
    /// The JSON is no `Registry`, or an upstream's name or endpoint is malformed.
    pub fn parse(json: &str) -> Result<Upstreams, ConfigError> {
        // serde's own message may quote a value, and so a password.
        let registry: Self = serde_json::from_str(json).map_err(|error| ConfigError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        Ok(Upstreams::new(registry)?)
    }
}

const fn default_patience_ms() -> u64 {
    DEFAULT_PATIENCE_MS
}

const fn default_fresh_seconds() -> u64 {
    DEFAULT_FRESH_SECONDS
}

const fn default_stale_while_revalidate_seconds() -> u64 {
    DEFAULT_STALE_WHILE_REVALIDATE_SECONDS
}

const fn default_stale_if_error_seconds() -> u64 {
    DEFAULT_STALE_IF_ERROR_SECONDS
}

const fn default_allowed_seconds() -> u64 {
    DEFAULT_ALLOWED_SECONDS
}

const fn default_negative_seconds() -> u64 {
    DEFAULT_NEGATIVE_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_border() {
        let registry = Registry {
            name: Some("ledge-1".to_owned()),
            default_upstream: Some("docker.io".to_owned()),
            upstreams: vec![Upstream {
                name: "docker.io".to_owned(),
                aliases: vec!["index.docker.io".to_owned()],
                endpoints: vec!["https://registry-1.docker.io".to_owned()],
                official_prefix: Some("library".to_owned()),
                credentials: Some(Credentials::Inline(Secret::Password {
                    username: "me".to_owned(),
                    password: "hunter2".to_owned(),
                })),
                access: Some(Access::Shared),
                public: vec![Pattern::parse("open/**").expect("a pattern")],
                allowed_seconds: 4,
                trusted_hosts: vec!["auth.docker.io".to_owned()],
                fresh_seconds: 5,
                stale_while_revalidate_seconds: 6,
                stale_if_error_seconds: 7,
                negative_seconds: 8,
                client_no_cache: true,
                prefetch: Prefetch::Small,
                freshness: vec![FreshnessRule {
                    repository: Some(Pattern::parse("library/*").expect("a pattern")),
                    tag: Some(Pattern::parse("v*").expect("a pattern")),
                    fresh_seconds: 9,
                }],
            }],
            rules: vec![Rule {
                name: RuleName::parse("no arm").expect("a name"),
                action: Action::Deny,
                upstream: Some("index.docker.io".to_owned()),
                repository: Some(Pattern::parse("team/**").expect("a pattern")),
                tag: None,
                platform: Some(PlatformPattern::parse("linux/arm").expect("a pattern")),
            }],
            patience_ms: 10,
        };
        let json = serde_json::to_string(&registry).expect("serialises");
        let again: Registry = serde_json::from_str(&json).expect("parses");
        assert_eq!(again, registry);
        assert!(Registry::parse(&json).is_ok());
        let shown = format!("{registry:?}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("\"me\""),
            "{shown}"
        );
    }

    #[test]
    fn defaults_are_few() {
        let json = r#"{"upstreams":[{"name":"ghcr.io","endpoints":["https://ghcr.io"]}]}"#;
        let registry: Registry = serde_json::from_str(json).expect("parses");
        assert_eq!(registry.upstreams[0].fresh_seconds, 600);
        assert_eq!(registry.upstreams[0].prefetch, Prefetch::Off);
        assert_eq!(registry.default_upstream, None);
        assert_eq!(registry.patience_ms, 22_500);
    }

    #[test]
    fn errors_show_where_and_no_secret() {
        let rows = [
            (
                "",
                "the registry's configuration is not readable at line 1, column 0",
            ),
            (
                r#"{"upstream":[]}"#,
                "the registry's configuration is not readable at line 1, column 11",
            ),
            (
                r#"{"upstreams":[{"name":"a","endpoints":[],"credentials":"hunter2"}]}"#,
                "the registry's configuration is not readable at line 1, column 64",
            ),
            (
                r#"{"rules":[{"name":"a","action":"forbid"}]}"#,
                "the registry's configuration is not readable at line 1, column 39",
            ),
            (
                r#"{"upstreams":[{"name":"a","endpoints":[]}]}"#,
                "upstream \"a\" has no endpoint",
            ),
        ];
        for (json, text) in rows {
            let error = Registry::parse(json).expect_err(json);
            assert_eq!(error.to_string(), text);
        }
    }
}
