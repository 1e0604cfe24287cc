//! Which hosts may be asked, which of them may have private addresses, and whose
//! connections are used.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use url::Url;

use crate::connection::Connection;
use crate::error::DenyReason;
use crate::proxy::Proxy;
use crate::target::{Scheme, Target, TrustedHost};

/// How many token services are remembered for an upstream. Real ones name one
/// or two; an origin that names more forgets its own.
const MAX_REALMS: usize = 16;

/// What the configuration says of one upstream.
#[derive(Clone, Debug)]
pub struct UpstreamEgress {
    /// Its name, for error messages.
    pub name: String,
    /// `scheme://host[:port]`; paths are ignored.
    pub endpoints: Vec<Url>,
    /// `host` or `host:port`.
    pub trusted_hosts: Vec<String>,
}

/// Why rules cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// An endpoint is no URL to connect to.
    #[error("upstream {upstream}: an endpoint cannot be used: {why}")]
    Endpoint {
        /// The upstream's name.
        upstream: String,
        /// What is wrong.
        why: DenyReason,
    },
    /// A trusted host is not `host` or `host:port`.
    #[error("upstream {upstream}: trusted host {host:?} is not host or host:port")]
    TrustedHost {
        /// The upstream's name.
        upstream: String,
        /// As it was given.
        host: String,
    },
    /// Two upstreams have an endpoint in common: nobody could say whose certificate
    /// or proxy a request to it needs.
    #[error(
        "upstreams {first} and {second} share the endpoint {endpoint}, but not its connection \
         settings (authorities, client certificate, proxy): make them equal"
    )]
    Contradiction {
        /// The first upstream's name.
        first: String,
        /// The other's.
        second: String,
        /// The endpoint's host, with its port if that is unusual.
        endpoint: String,
    },
}

/// Where requests may go. See the crate's documentation for the rules.
#[derive(Clone, Debug)]
pub struct EgressRules(Vec<(UpstreamEgress, Connection)>);

impl EgressRules {
    /// What the configuration says of every upstream, with nothing particular about
    /// their connections. A client reads it.
    #[must_use]
    pub fn new(upstreams: Vec<UpstreamEgress>) -> Self {
        let plain = |upstream| (upstream, Connection::default());
        Self(upstreams.into_iter().map(plain).collect())
    }

    /// The same, each with the settings of its connections. Where several upstreams
    /// trust a host or are sent to one token service, requests that start there use
    /// the settings of the first.
    #[must_use]
    pub fn with_connections(upstreams: Vec<(UpstreamEgress, Connection)>) -> Self {
        Self(upstreams)
    }
}

/// The rules, and what was learned under them.
#[derive(Debug)]
pub(crate) struct Rules {
    upstreams: Vec<Upstream>,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Upstream {
    name: String,
    connection: usize,
    endpoints: Vec<Target>,
    trusted: Vec<TrustedHost>,
    realms: Mutex<VecDeque<Target>>,
}

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Public,
    Any,
}

/// A request on its way: on whose behalf, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    owners: Owners,
    from_endpoint: bool,
    pub(crate) target: Target,
    pub(crate) line: Line,
}

/// On whose behalf a request is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owners {
    upstreams: Vec<usize>,
    connection: usize,
}

/// What kind of connection a request needs. Equal ones may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Which of [`Rules::connections`].
    pub(crate) connection: usize,
    pub(crate) reach: Reach,
    /// Whether the client certificate may be shown.
    pub(crate) identified: bool,
}

impl Rules {
    pub(crate) fn parse(rules: EgressRules) -> Result<Self, RuleError> {
        let mut parsed = Self {
            upstreams: Vec::new(),
            connections: Vec::new(),
        };
        for (egress, connection) in rules.0 {
            let index = parsed.settings(connection);
            let upstream = Upstream::parse(egress, index)?;
            parsed.agrees(&upstream)?;
            parsed.upstreams.push(upstream);
        }
        Ok(parsed)
    }

    fn settings(&mut self, connection: Connection) -> usize {
        let known = self.connections.iter().position(|one| *one == connection);
        known.unwrap_or_else(|| {
            self.connections.push(connection);
            self.connections.len() - 1
        })
    }

    fn agrees(&self, new: &Upstream) -> Result<(), RuleError> {
        let others = self.upstreams.iter();
        for other in others.filter(|other| other.connection != new.connection) {
            let shared = |endpoint: &&Target| other.endpoints.contains(endpoint);
            if let Some(endpoint) = new.endpoints.iter().find(shared) {
                return Err(RuleError::Contradiction {
                    first: other.name.clone(),
                    second: new.name.clone(),
                    endpoint: endpoint.to_string(),
                });
            }
        }
        Ok(())
    }

    /// The settings of all connections, each once.
    pub(crate) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// The proxy that a request goes through.
    pub(crate) fn proxy(&self, leg: &Leg) -> Option<&Proxy> {
        let proxy = self.connections[leg.line.connection].proxy.as_ref();
        proxy.filter(|proxy| proxy.carries(&leg.target))
    }

    /// Whether a request may go to `target`.
    pub(crate) fn begin(&self, target: Target) -> Result<Leg, DenyReason> {
        let endpoint = |upstream: &Upstream| upstream.endpoints.contains(&target);
        if let Some(owners) = self.owners(endpoint) {
            return self.leg(owners, true, target, Upstream::reach_of_endpoint);
        }
        if let Some(owners) = self.owners(|upstream| upstream.trusts(&target)) {
            let plain = target.scheme == Scheme::Http;
            let mut upstreams = owners.upstreams.iter().map(|index| &self.upstreams[*index]);
            if plain && !upstreams.any(Upstream::is_plain) {
                return Err(DenyReason::PlainHttp);
            }
            return self.leg(owners, false, target, |_, _| Reach::Any);
        }
        let owners = self.owners(|upstream| upstream.knows_realm(&target));
        let owners = owners.ok_or(DenyReason::NotConfigured)?;
        self.leg(owners, false, target, Upstream::reach_of_realm)
    }

    /// Whether a request with a body may go to `target`.
    pub(crate) fn begin_post(&self, target: Target) -> Result<Leg, DenyReason> {
        if !self.upstreams.iter().any(|one| one.knows_realm(&target)) {
            return Err(DenyReason::NoTokenService);
        }
        self.begin(target)
    }

    /// Whether a request that is at `leg` may be sent on to `target`.
    pub(crate) fn redirect(&self, leg: &Leg, target: Target) -> Result<Leg, DenyReason> {
        if leg.target.scheme == Scheme::Https && target.scheme == Scheme::Http {
            return Err(DenyReason::PlainHttp);
        }
        let owners = leg.owners.clone();
        self.leg(owners, leg.from_endpoint, target, |upstream, target| {
            upstream.reach_of_endpoint(target)
        })
    }

    /// Remembers a token service that an origin named in answer to the request
    /// that ended at `leg`. Only origins are believed.
    pub(crate) fn learn(&self, leg: &Leg, realm: &Target) {
        let downgraded = leg.target.scheme == Scheme::Https && realm.scheme == Scheme::Http;
        if !leg.from_endpoint || downgraded {
            return;
        }
        for index in &leg.owners.upstreams {
            self.upstreams[*index].remember(realm);
        }
    }

    fn owners(&self, wanted: impl Fn(&Upstream) -> bool) -> Option<Owners> {
        let all = self.upstreams.iter().enumerate();
        let upstreams: Vec<usize> = all
            .filter(|(_, upstream)| wanted(upstream))
            .map(|(index, _)| index)
            .collect();
        let first = *upstreams.first()?;
        Some(Owners {
            upstreams,
            connection: self.upstreams[first].connection,
        })
    }

    fn leg(
        &self,
        owners: Owners,
        from_endpoint: bool,
        target: Target,
        reach: impl Fn(&Upstream, &Target) -> Reach,
    ) -> Result<Leg, DenyReason> {
        let mut upstreams = owners.upstreams.iter().map(|index| &self.upstreams[*index]);
        let any = upstreams.any(|upstream| reach(upstream, &target) == Reach::Any);
        let line = Line {
            connection: owners.connection,
            reach: if any { Reach::Any } else { Reach::Public },
            identified: self.identifies(&owners, &target),
        };
        let leg = Leg {
            owners,
            from_endpoint,
            target,
            line,
        };
        match self.is_inside(&leg) {
            true => Err(DenyReason::PrivateAddress),
            false => Ok(leg),
        }
    }

    /// Names are looked at when they are resolved, and literal addresses never are. A
    /// proxy resolves names itself: then what they look like is all there is to see.
    fn is_inside(&self, leg: &Leg) -> bool {
        let literal = leg.target.literal().is_some();
        leg.line.reach == Reach::Public
            && (literal || self.proxy(leg).is_some())
            && leg.target.is_evidently_private()
    }

    /// Only those whom the operator named see the certificate, and only that of the
    /// upstream for which they are named.
    fn identifies(&self, owners: &Owners, target: &Target) -> bool {
        let upstreams = owners.upstreams.iter().map(|index| &self.upstreams[*index]);
        self.connections[owners.connection].identity.is_some()
            && upstreams
                .filter(|upstream| upstream.connection == owners.connection)
                .any(|upstream| upstream.names(target))
    }
}

impl Upstream {
    fn parse(from: UpstreamEgress, connection: usize) -> Result<Self, RuleError> {
        let UpstreamEgress { name, .. } = from;
        let endpoints = from.endpoints.iter().map(|url| {
            Target::of_url(url).map_err(|why| RuleError::Endpoint {
                upstream: name.clone(),
                why,
            })
        });
        let trusted = from.trusted_hosts.into_iter().map(|host| {
            TrustedHost::parse(&host).ok_or_else(|| RuleError::TrustedHost {
                upstream: name.clone(),
                host,
            })
        });
        Ok(Self {
            endpoints: endpoints.collect::<Result<_, _>>()?,
            trusted: trusted.collect::<Result<_, _>>()?,
            realms: Mutex::default(),
            name,
            connection,
        })
    }

    fn names(&self, target: &Target) -> bool {
        self.endpoints.contains(target) || self.trusts(target)
    }

    fn is_plain(&self) -> bool {
        self.endpoints
            .iter()
            .any(|endpoint| endpoint.scheme == Scheme::Http)
    }

    fn trusts(&self, target: &Target) -> bool {
        self.trusted.iter().any(|trusted| trusted.covers(target))
    }

    /// The operator's own URL, also where a redirect leads back to it.
    fn reach_of_endpoint(&self, target: &Target) -> Reach {
        let fixed = |endpoint: &Target| endpoint.is_fixed() && endpoint.is_at(target);
        self.reach(target, fixed)
    }

    /// A token service may be on another port of the operator's own address.
    fn reach_of_realm(&self, target: &Target) -> Reach {
        let fixed = |endpoint: &Target| endpoint.is_fixed() && endpoint.host == target.host;
        self.reach(target, fixed)
    }

    fn reach(&self, target: &Target, own: impl Fn(&Target) -> bool) -> Reach {
        if self.trusts(target) || self.endpoints.iter().any(own) {
            Reach::Any
        } else {
            Reach::Public
        }
    }

    fn knows_realm(&self, target: &Target) -> bool {
        let realms = self.realms.lock().unwrap_or_else(PoisonError::into_inner);
        realms.contains(target)
    }

    fn remember(&self, realm: &Target) {
        let mut realms = self.realms.lock().unwrap_or_else(PoisonError::into_inner);
        if realms.contains(realm) {
            return;
        }
        if realms.len() == MAX_REALMS {
            realms.pop_front();
        }
        realms.push_back(realm.clone());
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
