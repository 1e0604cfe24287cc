//! What a request means, and how its URL looked.

use super::{QUERY_VALUE, Upstream};
use crate::error::{ApiError, ErrorKind};
use crate::name::{NameError, RepositoryName};
use percent_encoding::utf8_percent_encode;

/// What a request means.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The upstream.
    pub upstream: &'a Upstream,
    /// The repository, as the origin calls it.
    pub repository: RepositoryName,
    /// How the client said so.
    pub shape: Shape<'a>,
}

/// How a client's URL looked, so that links keep its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape<'a> {
    /// The name in the path, prefix and all.
    pub name: &'a str,
    /// The value of `ns`, if there was one.
    pub ns: Option<&'a str>,
}

impl Shape<'_> {
    /// A relative URL under this repository, with these query parameters and the
    /// client's `ns`: `/v2/library/alpine/tags/list?n=2&last=b&ns=docker.io`.
    #[must_use]
    pub fn url(&self, tail: &str, parameters: &[(&str, &str)]) -> String {
        let mut url = format!("/v2/{}/{tail}", self.name);
        append_query(&mut url, parameters, self.ns);
        url
    }
}

/// The relative URL of the catalog with these query parameters and the client's `ns`.
#[must_use]
pub fn catalog_url(parameters: &[(&str, &str)], ns: Option<&str>) -> String {
    let mut url = "/v2/_catalog".to_owned();
    append_query(&mut url, parameters, ns);
    url
}

/// Appends `?a=b&c=d`, the values percent-encoded, `ns` last.
fn append_query(url: &mut String, parameters: &[(&str, &str)], ns: Option<&str>) {
    let ns = ns.map(|ns| ("ns", ns));
    let mut separator = '?';
    for (key, value) in parameters.iter().copied().chain(ns) {
        url.push(separator);
        url.push_str(key);
        url.push('=');
        url.extend(utf8_percent_encode(value, QUERY_VALUE));
        separator = '&';
    }
}

/// Why a request means no upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// `ns` is not configured.
    #[error("no upstream is called \"{0}\"")]
    UnknownNamespace(String),
    /// The path's first component is a host that is not configured.
    #[error("no upstream is called \"{0}\", and it can be no part of a name at the default one")]
    UnknownPrefix(String),
    /// Nothing names an upstream, and there is no default one.
    #[error("the request names no upstream, and there is no default one")]
    NoDefault,
    /// `ns` and prefix name different upstreams.
    #[error("the path's prefix and the parameter ns name different upstreams")]
    Disagree,
    /// The rest is no repository's name there.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl From<TargetError> for ApiError {
    fn from(error: TargetError) -> Self {
        let kind = match error {
            TargetError::UnknownNamespace(_)
            | TargetError::UnknownPrefix(_)
            | TargetError::NoDefault => ErrorKind::NameUnknown,
            TargetError::Disagree | TargetError::Name(_) => ErrorKind::NameInvalid,
        };
        Self::new(kind, error.to_string())
    }
}
