//! The configuration as other rooms take it: plain data, without where it came from.

use std::time::Duration;

use ledge_core::config as core;
use ledge_core::config::credentials;
use url::Url;

use crate::credentials::Credentials;
use crate::provenance::Sourced;
use crate::types::{Config, FreshnessRule, Rule, Upstream};

/// Where an upstream may make the host connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamEgress {
    /// The upstream's name, for messages.
    pub name: String,
    /// Its endpoints; each URL's path is `/`.
    pub endpoints: Vec<Url>,
    /// `host` or `host:port`, in lowercase.
    pub trusted_hosts: Vec<String>,
}

/// An upstream that has credentials.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    /// The upstream.
    pub upstream: &'a Upstream,
    /// The variable in which the component finds them.
    pub variable: String,
    /// The variable that it reads when an origin has refused those.
    pub fresh_variable: String,
    /// Under which names others may know the upstream, the likeliest first.
    pub servers: Vec<String>,
    /// Where they come from.
    pub credentials: &'a Credentials,
}

impl Config {
    /// What the registry component is told. It holds no secret, only where it finds them.
    pub fn registry(&self) -> core::Registry {
        core::Registry {
            name: None,
            default_upstream: self
                .default_upstream
                .as_ref()
                .map(|name| name.value.clone()),
            upstreams: (0..)
                .zip(&self.upstreams)
                .map(|(number, upstream)| registry_upstream(number, upstream))
                .collect(),
            rules: self.rules.iter().map(registry_rule).collect(),
            patience_ms: patience_ms(self.limits.request_timeout.value),
        }
    }

    /// The upstreams that have credentials.
    pub fn accounts(&self) -> Vec<Account<'_>> {
        let numbered = (0..).zip(&self.upstreams);
        numbered
            .filter_map(|(number, upstream)| {
                let variable = credentials::variable(number);
                Some(Account {
                    fresh_variable: credentials::fresh(&variable),
                    variable,
                    servers: servers(upstream),
                    credentials: upstream.credentials.as_ref()?,
                    upstream,
                })
            })
            .collect()
    }

    /// Where the host may connect to.
    pub fn egress(&self) -> Vec<UpstreamEgress> {
        self.upstreams
            .iter()
            .map(|upstream| UpstreamEgress {
                name: upstream.name.clone(),
                endpoints: upstream
                    .endpoints
                    .iter()
                    .map(|endpoint| endpoint.url().clone())
                    .collect(),
                trusted_hosts: upstream.trusted_hosts.value.clone(),
            })
            .collect()
    }
}

/// How long the component waits for an origin: nine tenths of what a request has in all. The rest
/// is for sending a copy instead.
fn patience_ms(request_timeout: Duration) -> u64 {
    let patience = request_timeout * 9 / 10;
    u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)
}

/// The hosts that are asked, then what clients call it.
fn servers(upstream: &Upstream) -> Vec<String> {
    let endpoints = upstream.endpoints.iter().map(ToString::to_string);
    let names = std::iter::once(&upstream.name).chain(upstream.aliases.iter());
    endpoints.chain(names.cloned()).collect()
}

fn registry_upstream(number: usize, upstream: &Upstream) -> core::Upstream {
    let freshness = &upstream.freshness;
    core::Upstream {
        name: upstream.name.clone(),
        aliases: upstream.aliases.value.clone(),
        endpoints: upstream.endpoints.iter().map(ToString::to_string).collect(),
        official_prefix: upstream.official_prefix.map(str::to_owned),
        credentials: upstream
            .credentials
            .as_ref()
            .map(|_| core::Credentials::Variable(credentials::variable(number))),
        access: Some(upstream.rights.access.value),
        public: upstream.rights.public.value.clone(),
        allowed_seconds: upstream.rights.allowed_for.as_secs(),
        trusted_hosts: upstream.trusted_hosts.value.clone(),
        fresh_seconds: freshness.fresh.as_secs(),
        stale_while_revalidate_seconds: freshness.stale_while_revalidate.as_secs(),
        stale_if_error_seconds: freshness.stale_if_error.as_secs(),
        negative_seconds: freshness.negative.as_secs(),
        client_no_cache: freshness.client_no_cache.value,
        prefetch: upstream.prefetch.value,
        freshness: freshness.rules.iter().map(freshness_rule).collect(),
    }
}

fn freshness_rule(rule: &FreshnessRule) -> core::FreshnessRule {
    core::FreshnessRule {
        repository: value(rule.repository.as_ref()),
        tag: value(rule.tag.as_ref()),
        fresh_seconds: rule.fresh.as_secs(),
    }
}

fn registry_rule(rule: &Rule) -> core::Rule {
    core::Rule {
        name: rule.name.value.clone(),
        action: rule.action.value,
        upstream: value(rule.upstream.as_ref()),
        repository: value(rule.repository.as_ref()),
        tag: value(rule.tag.as_ref()),
        platform: value(rule.platform.as_ref()),
    }
}

fn value<T: Clone>(given: Option<&Sourced<T>>) -> Option<T> {
    given.map(|given| given.value.clone())
}
