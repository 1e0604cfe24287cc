//! Paths and methods: OCI distribution specification 1.1, "Endpoints".

use crate::digest::{Digest, DigestError};
use crate::error::{ApiError, ErrorKind};
use crate::name::{NameError, RequestedName};
use crate::reference::{Reference, ReferenceError};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Longest path and query that are looked at, in bytes: a name of 255, a host of
/// 255, a digest of 135, the words between them, all percent-encoded, and a query.
const MAX_TARGET: usize = 4096;

/// The value of `Allow` with a 405.
pub const ALLOW: &str = "GET, HEAD";

/// What a method means to a mirror that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// Any other one.
    Other,
}

/// A request, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// What is asked for.
    pub route: Route,
    /// The value of `ns`, if there is one.
    pub ns: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`: is this a registry?
    Base,
    /// `/v2/_catalog`
    Catalog(Page),
    /// `/v2/<name>/manifests/<reference>`
    Manifest {
        /// The name in the path.
        name: RequestedName,
        /// The tag or digest.
        reference: Reference,
    },
    /// `/v2/<name>/blobs/<digest>`
    Blob {
        /// The name in the path.
        name: RequestedName,
        /// The blob.
        digest: Digest,
    },
    /// `/v2/<name>/tags/list`
    Tags {
        /// The name in the path.
        name: RequestedName,
        /// Which part of the list.
        page: Page,
    },
    /// `/v2/<name>/referrers/<digest>`
    Referrers {
        /// The name in the path.
        name: RequestedName,
        /// The subject.
        digest: Digest,
        /// Only referrers of this type.
        artifact_type: Option<String>,
    },
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most so many entries; `None` is all of them.
    pub n: Option<u64>,
    /// Only what comes after this entry.
    pub last: Option<String>,
}

/// Why a request has no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The path is none of the API's.
    #[error("the path is none of the registry API's")]
    Path,
    /// The path is the API's; only GET and HEAD are served.
    #[error("this registry is a mirror: only GET and HEAD are served")]
    Method,
    /// Path and query are longer than any that the API has.
    #[error("the path is longer than 4096 bytes")]
    TooLong,
    /// The repository's name is malformed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The digest is malformed.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The tag or digest is malformed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// `n` is no number.
    #[error("the parameter n is no number")]
    Number,
}

impl From<RouteError> for ApiError {
    fn from(error: RouteError) -> Self {
        let kind = match error {
            RouteError::Path => ErrorKind::PathUnknown,
            RouteError::Method => ErrorKind::MethodNotAllowed,
            RouteError::TooLong | RouteError::Name(_) => ErrorKind::NameInvalid,
            RouteError::Digest(_) | RouteError::Reference(ReferenceError::Digest(_)) => {
                ErrorKind::DigestInvalid
            }
            RouteError::Reference(ReferenceError::Tag(_)) => ErrorKind::ManifestUnknown,
            RouteError::Number => ErrorKind::PaginationInvalid,
        };
        Self::new(kind, error.to_string())
    }
}

impl Routed {
    /// Understands a request's method and its path with query, as they stand in
    /// the request line.
    ///
    /// # Errors
    /// The path is none of the API's, the method is not served, or a name,
    /// digest, tag or number is malformed.
    pub fn parse(method: Method, target: &str) -> Result<Self, RouteError> {
        if target.len() > MAX_TARGET {
            return Err(RouteError::TooLong);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let words = Words::split(path).ok_or(RouteError::Path)?;
        if method == Method::Other {
            return Err(RouteError::Method);
        }
        Ok(Self {
            route: words.route(query)?,
            ns: parameter(query, "ns"),
        })
    }
}

/// The API's own words in a path, and what stands around them, still encoded.
enum Words<'a> {
    Base,
    Catalog,
    Manifest(&'a str, &'a str),
    Blob(&'a str, &'a str),
    Tags(&'a str),
    Referrers(&'a str, &'a str),
    Uploads,
}

impl<'a> Words<'a> {
    /// Reads from the end, because the API's words may be part of a name too.
    fn split(path: &'a str) -> Option<Self> {
        if path == "/v2" {
            return Some(Self::Base);
        }
        let rest = path.strip_prefix("/v2/")?;
        if rest.is_empty() {
            return Some(Self::Base);
        }
        if rest == "_catalog" {
            return Some(Self::Catalog);
        }
        let (front, last) = rest.rsplit_once('/')?;
        let (name, word) = front.rsplit_once('/')?;
        match (word, last) {
            ("manifests", reference) => Some(Self::Manifest(name, reference)),
            ("blobs", "uploads") => Some(Self::Uploads),
            ("blobs", digest) => Some(Self::Blob(name, digest)),
            ("tags", "list") => Some(Self::Tags(name)),
            ("referrers", digest) => Some(Self::Referrers(name, digest)),
            ("uploads", _) if name.ends_with("/blobs") => Some(Self::Uploads),
            _ => None,
        }
    }

    fn route(self, query: &str) -> Result<Route, RouteError> {
        Ok(match self {
            Self::Base => Route::Base,
            Self::Catalog => Route::Catalog(page(query)?),
            Self::Manifest(name, reference) => Route::Manifest {
                name: requested(name)?,
                reference: Reference::parse(&decode(reference))?,
            },
            Self::Blob(name, digest) => Route::Blob {
                name: requested(name)?,
                digest: Digest::parse(&decode(digest))?,
            },
            Self::Tags(name) => Route::Tags {
                name: requested(name)?,
                page: page(query)?,
            },
            Self::Referrers(name, digest) => Route::Referrers {
                name: requested(name)?,
                digest: Digest::parse(&decode(digest))?,
                artifact_type: parameter(query, "artifactType").filter(|t| !t.is_empty()),
            },
            // Reading an upload's state is part of pushing.
            Self::Uploads => return Err(RouteError::Method),
        })
    }
}

/// Decodes each component on its own: an encoded slash separates nothing, and no
/// component's grammar lets it pass.
fn requested(name: &str) -> Result<RequestedName, RouteError> {
    if !name.contains('%') {
        return Ok(RequestedName::parse(name)?);
    }
    let components: Vec<_> = name.split('/').map(decode).collect();
    if components.iter().any(|c| c.contains('/')) {
        return Err(NameError::Grammar.into());
    }
    Ok(RequestedName::parse(&components.join("/"))?)
}

/// What is not UTF-8 becomes U+FFFD, which no grammar lets pass.
fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// The first value of a parameter. A `+` is a plus: no parameter of the API may
/// hold a space, and media types may hold a plus.
fn parameter(query: &str, key: &str) -> Option<String> {
    if query.is_empty() {
        return None;
    }
    let mut pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(name, _)| decode(name) == key)?;
    Some(decode(value).into_owned())
}

fn page(query: &str) -> Result<Page, RouteError> {
    let n = parameter(query, "n")
        .map(|text| number(&text))
        .transpose()?;
    let last = parameter(query, "last").filter(|last| !last.is_empty());
    Ok(Page { n, last })
}

/// Digits only; what is too large is the largest.
fn number(text: &str) -> Result<u64, RouteError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(RouteError::Number);
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
