//! The configuration as other rooms take it: plain data, without where it came from.

use ledge_core::config as core;
use secrecy::ExposeSecret;
use url::Url;

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

impl Config {
    /// What the registry component is told. It holds passwords in the clear.
    pub fn registry(&self) -> core::Registry {
        core::Registry {
            default_upstream: self
                .default_upstream
                .as_ref()
                .map(|name| name.value.clone()),
            upstreams: self.upstreams.iter().map(registry_upstream).collect(),
            rules: self.rules.iter().map(registry_rule).collect(),
        }
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

fn registry_upstream(upstream: &Upstream) -> core::Upstream {
    let freshness = &upstream.freshness;
    core::Upstream {
        name: upstream.name.clone(),
        aliases: upstream.aliases.value.clone(),
        endpoints: upstream.endpoints.iter().map(ToString::to_string).collect(),
        official_prefix: upstream.official_prefix.map(str::to_owned),
        credentials: upstream
            .credentials
            .as_ref()
            .map(|credentials| core::Credentials {
                username: credentials.username.value.clone(),
                password: credentials.password.expose_secret().to_owned(),
            }),
        trusted_hosts: upstream.trusted_hosts.value.clone(),
        fresh_seconds: freshness.fresh.as_secs(),
        stale_while_revalidate_seconds: freshness.stale_while_revalidate.as_secs(),
        stale_if_error_seconds: freshness.stale_if_error.as_secs(),
        negative_seconds: freshness.negative.as_secs(),
        client_no_cache: freshness.client_no_cache.value,
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
