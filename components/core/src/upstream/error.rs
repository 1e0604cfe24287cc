//! What can be wrong with a configured upstream.

use crate::name::NameError;
use crate::uri::UriError;

/// Why an upstream's configuration cannot be used. The texts show no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// A name or an alias is no `host[:port]`.
    #[error("\"{name}\" cannot be an upstream's name: {source}")]
    Name {
        /// The name or alias.
        name: String,
        /// What is wrong with it.
        source: UriError,
    },
    /// Two upstreams have one name.
    #[error("two upstreams are called \"{0}\"")]
    Twice(String),
    /// An upstream has no endpoint.
    #[error("upstream \"{0}\" has no endpoint")]
    NoEndpoint(String),
    /// An endpoint is no `scheme://authority`.
    #[error("upstream \"{name}\" has an endpoint that cannot be used: {source}")]
    Endpoint {
        /// The upstream.
        name: String,
        /// What is wrong with its endpoint.
        source: UriError,
    },
    /// A trusted host is no `host[:port]`.
    #[error("upstream \"{name}\" trusts a host that is none: {source}")]
    TrustedHost {
        /// The upstream.
        name: String,
        /// What is wrong with the host.
        source: UriError,
    },
    /// The official prefix is no repository's name.
    #[error("upstream \"{name}\" has a malformed official prefix: {source}")]
    Prefix {
        /// The upstream.
        name: String,
        /// What is wrong with the prefix.
        source: NameError,
    },
    /// What is said of access does not go together.
    #[error("upstream \"{name}\" {what}")]
    Access {
        /// The upstream.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The default upstream is not among those configured.
    #[error("the default upstream \"{0}\" is not configured")]
    NoDefault(String),
    /// A rule is about an upstream that is not among those configured.
    #[error("rule \"{rule}\" is about upstream \"{upstream}\", which is not configured")]
    Rule {
        /// The rule's name.
        rule: String,
        /// The upstream that it names.
        upstream: String,
    },
}
