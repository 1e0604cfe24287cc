//! The configuration as other rooms take it: plain data, without where it came from.

use ledge_core::config as core;
use secrecy::ExposeSecret;
use url::Url;

use crate::types::{Config, Upstream};

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
            rules: Vec::new(),
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
        fresh_seconds: upstream.fresh.as_secs(),
        stale_while_revalidate_seconds: core::DEFAULT_STALE_WHILE_REVALIDATE_SECONDS,
        stale_if_error_seconds: core::DEFAULT_STALE_IF_ERROR_SECONDS,
        negative_seconds: core::DEFAULT_NEGATIVE_SECONDS,
        client_no_cache: false,
        freshness: Vec::new(),
    }
}
