//! The configured upstreams, and which of them a request means.
//!
//! Three shapes of URL name an upstream: `?ns=docker.io`, a prefix
//! (`/v2/docker.io/library/alpine/…`), or neither, which means the default one.
//! Names are looked up here, never dialled.

mod error;
mod target;

pub use error::UpstreamError;
pub use target::{Shape, Target, TargetError, catalog_url};

use crate::config::{self, Access, RepositoryPattern};
use crate::freshness::Policy;
use crate::name::{NameError, RepositoryName, RequestedName};
use crate::rules::Rules;
use crate::uri::{Authority, Endpoint};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything but RFC 3986's unreserved characters.
pub(crate) const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A configured upstream, parsed.
#[derive(Clone, Debug)]
pub struct Upstream {
    name: Authority,
    endpoints: Vec<Endpoint>,
    official_prefix: Option<RepositoryName>,
    credentials: Option<config::Credentials>,
    access: Access,
    public: Vec<RepositoryPattern>,
    allowed_seconds: u64,
    trusted_hosts: Vec<Authority>,
    freshness: Policy,
    prefetch: config::Prefetch,
    /// Whether an endpoint is the upstream under one of its names; each in turn.
    is_itself: Vec<bool>,
}

impl Upstream {
    fn new(raw: config::Upstream) -> Result<Self, UpstreamError> {
        if raw.endpoints.is_empty() {
            return Err(UpstreamError::NoEndpoint(raw.name));
        }
        let name = parse_name(&raw.name)?;
        let in_endpoint = |source| UpstreamError::Endpoint {
            name: raw.name.clone(),
            source,
        };
        let in_host = |source| UpstreamError::TrustedHost {
            name: raw.name.clone(),
            source,
        };
        let in_prefix = |source| UpstreamError::Prefix {
            name: raw.name.clone(),
            source,
        };
        let endpoints: Result<Vec<_>, _> =
            raw.endpoints.iter().map(|e| Endpoint::parse(e)).collect();
        let hosts: Result<_, _> = raw
            .trusted_hosts
            .iter()
            .map(|h| Authority::parse(h))
            .collect();
        let freshness = Policy::new(&raw);
        let access = access(&raw)?;
        let prefix = raw.official_prefix.as_deref().map(RepositoryName::parse);
        let endpoints = endpoints.map_err(in_endpoint)?;
        let names: Vec<_> = std::iter::once(&raw.name).chain(&raw.aliases).collect();
        let is_itself = |endpoint: &Endpoint| {
            let authority = endpoint.authority().as_str();
            names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(authority))
        };
        Ok(Self {
            name,
            is_itself: endpoints.iter().map(is_itself).collect(),
            endpoints,
            official_prefix: prefix.transpose().map_err(in_prefix)?,
            trusted_hosts: hosts.map_err(in_host)?,
            credentials: raw.credentials,
            access,
            public: raw.public,
            allowed_seconds: raw.allowed_seconds,
            freshness,
            prefetch: raw.prefetch,
        })
    }

    /// A path at an endpoint. One that is not the upstream under one of its names may be a
    /// mirror of several, and is told which is meant, as containerd tells its mirrors.
    #[must_use]
    pub fn path_at(&self, endpoint: &Endpoint, path: &str) -> String {
        let place = self.endpoints.iter().position(|known| known == endpoint);
        let is_itself = place.and_then(|place| self.is_itself.get(place).copied());
        let has_ns = path.contains("?ns=") || path.contains("&ns=");
        if is_itself.unwrap_or(true) || has_ns {
            return path.to_owned();
        }
        let mark = if path.contains('?') { '&' } else { '?' };
        let ns = utf8_percent_encode(self.name(), QUERY_VALUE);
        format!("{path}{mark}ns={ns}")
    }

    /// Its name, lowercase: `docker.io`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Where it listens, best first; at least one.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// How to come to this mirror's own credentials, if it has any.
    #[must_use]
    pub const fn credentials(&self) -> Option<&config::Credentials> {
        self.credentials.as_ref()
    }

    /// Whether what came from a repository is to be served only where the origin has shown it.
    #[must_use]
    pub fn is_private(&self, repository: &RepositoryName) -> bool {
        match self.access {
            Access::Public => false,
            Access::Shared => !self.public.iter().any(|public| public.matches(repository)),
            Access::PassThrough => true,
        }
    }

    /// Whether each client shows the origin its own credentials.
    #[must_use]
    pub const fn is_pass_through(&self) -> bool {
        matches!(self.access, Access::PassThrough)
    }

    /// How long it is remembered that the origin let a client in, in seconds.
    #[must_use]
    pub const fn allowed_seconds(&self) -> u64 {
        self.allowed_seconds
    }

    /// Hosts that may get the password.
    #[must_use]
    pub fn trusted_hosts(&self) -> &[Authority] {
        &self.trusted_hosts
    }

    /// How long what it says is good for.
    #[must_use]
    pub const fn freshness(&self) -> &Policy {
        &self.freshness
    }

    /// What of an image is fetched when a client has got its manifest.
    #[must_use]
    pub const fn prefetch(&self) -> config::Prefetch {
        self.prefetch
    }

    /// The repository's name at the origin: `alpine` is `library/alpine` at docker.io.
    fn at_origin(&self, name: RepositoryName) -> Result<RepositoryName, NameError> {
        match &self.official_prefix {
            Some(prefix) if name.is_single() => RepositoryName::parse(&format!("{prefix}/{name}")),
            _ => Ok(name),
        }
    }
}

/// By whose rights an upstream is pulled from.
fn access(raw: &config::Upstream) -> Result<Access, UpstreamError> {
    let fault = |what| UpstreamError::Access {
        name: raw.name.clone(),
        what,
    };
    let access = match (raw.access, &raw.credentials) {
        (None, Some(_)) => Access::Shared,
        (None, None) => Access::Public,
        (Some(Access::Shared), None) => return Err(fault("is shared, and has no credentials")),
        (Some(Access::Public), Some(_)) => {
            return Err(fault("is public as a whole, and has credentials"));
        }
        (Some(Access::PassThrough), Some(_)) => {
            return Err(fault(
                "passes its clients' credentials on, and has some too",
            ));
        }
        (Some(access), _) => access,
    };
    if access != Access::Shared && !raw.public.is_empty() {
        return Err(fault("lists what is public of it, and is not shared"));
    }
    Ok(access)
}

/// All configured upstreams, by name and alias.
#[derive(Clone, Debug)]
pub struct Upstreams {
    list: Vec<Upstream>,
    // A BTreeMap: a HashMap would make the component import randomness.
    by_name: BTreeMap<Box<str>, usize>,
    default: Option<usize>,
    rules: Rules,
    mirror: Option<Box<str>>,
    patience: Duration,
}

impl Upstreams {
    /// Indexes a configuration.
    ///
    /// # Errors
    /// A name, alias, endpoint or trusted host is malformed, a name is given
    /// twice, or the default upstream or that of a rule is not configured.
    pub fn new(registry: config::Registry) -> Result<Self, UpstreamError> {
        let mut list = Vec::with_capacity(registry.upstreams.len());
        let mut by_name = BTreeMap::new();
        for (index, raw) in registry.upstreams.into_iter().enumerate() {
            for name in std::iter::once(&raw.name).chain(&raw.aliases) {
                let key = parse_name(name)?.as_str().into();
                if by_name.insert(key, index).is_some() {
                    return Err(UpstreamError::Twice(name.clone()));
                }
            }
            list.push(Upstream::new(raw)?);
        }
        let mut all = Self {
            list,
            by_name,
            default: None,
            rules: Rules::default(),
            mirror: registry.name.map(Into::into),
            patience: Duration::from_millis(registry.patience_ms),
        };
        all.rules = Rules::new(registry.rules, &all)?;
        if let Some(name) = registry.default_upstream {
            let default = all.index(&name).ok_or(UpstreamError::NoDefault(name))?;
            all.default = Some(default);
        }
        Ok(all)
    }

    /// The upstream with this name or alias, in any case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Upstream> {
        self.list.get(self.index(name)?)
    }

    /// The upstream of requests that name none.
    #[must_use]
    pub fn usual(&self) -> Option<&Upstream> {
        self.list.get(self.default?)
    }

    /// What this mirror calls itself to others.
    #[must_use]
    pub fn mirror(&self) -> Option<&str> {
        self.mirror.as_deref()
    }

    /// How long a client's request may wait for its origin.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// What may be pulled.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    fn index(&self, name: &str) -> Option<usize> {
        if let Some(index) = self.by_name.get(name) {
            return Some(*index);
        }
        self.by_name
            .get(name.to_ascii_lowercase().as_str())
            .copied()
    }

    /// Which upstream and repository a request means.
    ///
    /// A prefix counts when it is a configured name. When `ns` is there too, they
    /// must agree. Without `ns`, a first component that can only be a host (it
    /// has a dot or a colon, as in image references) and is not configured is
    /// refused rather than asked for at the default upstream.
    ///
    /// # Errors
    /// No upstream is meant, or two are, or the name is malformed there.
    pub fn resolve<'a>(
        &'a self,
        name: &'a RequestedName,
        ns: Option<&'a str>,
    ) -> Result<Target<'a>, TargetError> {
        let prefix = name
            .split()
            .and_then(|(registry, rest)| Some((self.index(registry)?, rest)));
        let named = match ns {
            Some(ns) => Some(
                self.index(ns)
                    .ok_or_else(|| TargetError::UnknownNamespace(ns.to_owned()))?,
            ),
            None => None,
        };
        let (index, repository) = match (named, prefix) {
            (Some(named), Some((prefixed, _))) if named != prefixed => {
                return Err(TargetError::Disagree);
            }
            (_, Some(prefixed)) => prefixed,
            (Some(named), None) => (named, name.repository()?),
            (None, None) => (self.default_for(name)?, name.repository()?),
        };
        let upstream = &self.list[index];
        let shape = Shape {
            name: name.as_str(),
            ns,
        };
        Ok(Target {
            upstream,
            repository: upstream.at_origin(repository)?,
            shape,
        })
    }

    fn default_for(&self, name: &RequestedName) -> Result<usize, TargetError> {
        match name.split() {
            Some((registry, _)) if registry.contains(['.', ':']) => {
                Err(TargetError::UnknownPrefix(registry.to_owned()))
            }
            _ => self.default.ok_or(TargetError::NoDefault),
        }
    }
}

fn parse_name(name: &str) -> Result<Authority, UpstreamError> {
    Authority::parse(name).map_err(|source| UpstreamError::Name {
        name: name.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
