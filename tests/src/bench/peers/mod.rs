//! The mirrors that are measured: Ledge, and what people run today. Each has fresh storage.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::config::{Config, Upstream};
use crate::ledge::Ledge;

mod distribution;
mod nginx;

use distribution::Distribution;
pub(super) use nginx::Nginx;

/// A program that mirrors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Ledge.
    Ledge,
    /// nginx `proxy_cache` with `proxy_cache_lock`.
    Nginx,
    /// Debian's `docker-registry` as a pull-through cache.
    Distribution,
}

impl Kind {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ledge => "ledge",
            Self::Nginx => "nginx",
            Self::Distribution => "distribution",
        }
    }
}

/// What a mirror is told, as far as it has a setting for it.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How long an origin may pause; the mirror's own default if `None`.
    pub idle: Option<Duration>,
    /// Where the origin may redirect to.
    pub trusted: Vec<SocketAddr>,
}

/// A running mirror. Dropping it ends all its processes and removes its storage.
#[derive(Debug)]
pub enum Mirror {
    /// Ledge.
    Ledge(Ledge),
    /// nginx.
    Nginx(Nginx),
    /// distribution.
    Distribution(Distribution),
}

impl Mirror {
    /// Starts one in front of an upstream.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub async fn start(kind: Kind, upstream: SocketAddr, settings: &Settings) -> Result<Self> {
        let started = match kind {
            Kind::Ledge => Ledge::start(&ledge(upstream, settings))
                .await
                .map(Self::Ledge),
            Kind::Nginx => Nginx::start(upstream, settings).await.map(Self::Nginx),
            Kind::Distribution => Distribution::start(upstream).await.map(Self::Distribution),
        };
        started.with_context(|| format!("starting {}", kind.name()))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Ledge(ledge) => ledge.address(),
            Self::Nginx(nginx) => nginx.address(),
            Self::Distribution(distribution) => distribution.address(),
        }
    }

    /// The id of its first process.
    #[must_use]
    pub fn process(&self) -> i32 {
        match self {
            Self::Ledge(ledge) => ledge.id(),
            Self::Nginx(nginx) => nginx.id(),
            Self::Distribution(distribution) => distribution.id(),
        }
    }
}

/// The access log is off, as the others' is.
fn ledge(upstream: SocketAddr, settings: &Settings) -> Config {
    let mut head = "default_upstream = \"docker.io\"\n".to_owned();
    if let Some(idle) = settings.idle {
        head.push_str(&format!(
            "[limits]\nupstream_idle_timeout = \"{}s\"\n",
            idle.as_secs()
        ));
    }
    head.push_str("[log]\nfilter = \"info,access=off\"");
    let mut docker = Upstream::new("docker.io", upstream);
    if !settings.trusted.is_empty() {
        docker = docker.trusted(&settings.trusted);
    }
    Config::default().head(&head).upstream(docker)
}
