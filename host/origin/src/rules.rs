//! Which hosts may be asked, and which of them may have private addresses.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use url::Url;

use crate::error::DenyReason;
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
}

/// Where requests may go. See the crate's documentation for the rules.
#[derive(Clone, Debug)]
pub struct EgressRules(Vec<UpstreamEgress>);

impl EgressRules {
    /// What the configuration says of every upstream. A client reads it.
    #[must_use]
    pub fn new(upstreams: Vec<UpstreamEgress>) -> Self {
        Self(upstreams)
    }
}

/// The rules, and what was learned under them.
#[derive(Debug)]
pub(crate) struct Rules {
    upstreams: Vec<Upstream>,
}

#[derive(Debug)]
struct Upstream {
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
    upstreams: Vec<usize>,
    from_endpoint: bool,
    pub(crate) target: Target,
    pub(crate) reach: Reach,
}

impl Rules {
    pub(crate) fn parse(rules: EgressRules) -> Result<Self, RuleError> {
        let upstreams: Result<_, _> = rules.0.into_iter().map(Upstream::parse).collect();
        Ok(Self {
            upstreams: upstreams?,
        })
    }

    /// Whether a request may go to `target`.
    pub(crate) fn begin(&self, target: Target) -> Result<Leg, DenyReason> {
        let endpoint = |upstream: &Upstream| upstream.endpoints.contains(&target);
        let owners = self.which(endpoint);
        if !owners.is_empty() {
            return self.leg(owners, true, target, Upstream::reach_of_endpoint);
        }
        let trusted = self.which(|upstream| upstream.trusts(&target));
        if !trusted.is_empty() {
            let plain = target.scheme == Scheme::Http;
            let mut upstreams = trusted.iter().map(|index| &self.upstreams[*index]);
            if plain && !upstreams.any(Upstream::is_plain) {
                return Err(DenyReason::PlainHttp);
            }
            return self.leg(trusted, false, target, |_, _| Reach::Any);
        }
        let named = self.which(|upstream| upstream.knows_realm(&target));
        if named.is_empty() {
            return Err(DenyReason::NotConfigured);
        }
        self.leg(named, false, target, Upstream::reach_of_realm)
    }

    /// Whether a request that is at `leg` may be sent on to `target`.
    pub(crate) fn redirect(&self, leg: &Leg, target: Target) -> Result<Leg, DenyReason> {
        if leg.target.scheme == Scheme::Https && target.scheme == Scheme::Http {
            return Err(DenyReason::PlainHttp);
        }
        let upstreams = leg.upstreams.clone();
        self.leg(upstreams, leg.from_endpoint, target, |upstream, target| {
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
        for index in &leg.upstreams {
            self.upstreams[*index].remember(realm);
        }
    }

    fn which(&self, wanted: impl Fn(&Upstream) -> bool) -> Vec<usize> {
        let all = self.upstreams.iter().enumerate();
        all.filter(|(_, upstream)| wanted(upstream))
            .map(|(index, _)| index)
            .collect()
    }

    fn leg(
        &self,
        upstreams: Vec<usize>,
        from_endpoint: bool,
        target: Target,
        reach: impl Fn(&Upstream, &Target) -> Reach,
    ) -> Result<Leg, DenyReason> {
        let any = upstreams
            .iter()
            .any(|index| reach(&self.upstreams[*index], &target) == Reach::Any);
        let reach = if any { Reach::Any } else { Reach::Public };
        // Names are looked at when they are resolved; literal addresses never are.
        let literal = target.literal();
        if reach == Reach::Public && literal.is_some_and(|ip| !crate::address::is_public(ip)) {
            return Err(DenyReason::PrivateAddress);
        }
        Ok(Leg {
            upstreams,
            from_endpoint,
            target,
            reach,
        })
    }
}

impl Upstream {
    fn parse(from: UpstreamEgress) -> Result<Self, RuleError> {
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
        })
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
