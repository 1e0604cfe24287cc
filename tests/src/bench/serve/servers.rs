//! The servers beside each other, each with everything in its store, and each with an access log.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::ledge::Ledge;
use super::set::Set;
use crate::bench::hyper::{self, Yardstick};
use crate::bench::memory;
use crate::bench::peers::Nginx;
use crate::bench::processor;
use crate::files;
use crate::registry::{Access, Registry};

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Ledge as it comes.
    Ledge,
    /// Ledge that repeats no answers: an instance of the component is asked for every one.
    Instance,
    /// nginx with `proxy_cache`.
    Nginx,
    /// Debian's `docker-registry` as a pull-through cache.
    Registry,
    /// Bare hyper.
    Hyper,
}

impl Who {
    /// The name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ledge => "ledge",
            Self::Instance => "ledge-instance",
            Self::Nginx => "nginx",
            Self::Registry => "registry",
            Self::Hyper => "hyper",
        }
    }
}

const NGINX: &str = include_str!("nginx.conf");

/// Where servers get from what they lack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origins {
    /// As fast as the machine.
    pub(super) fast: SocketAddr,
    /// The same origin over a slow link.
    pub(super) slow: SocketAddr,
    /// For who asks again and again.
    pub(super) asked: SocketAddr,
}

/// The processors' time of some processes.
#[derive(Debug)]
pub(super) struct Times(HashMap<i32, Duration>);

impl Times {
    /// What was added to that of those who are there still.
    pub(super) fn since(&self, before: &Self) -> Duration {
        let added = self.0.iter().map(|(id, now)| {
            let before = before.0.get(id).copied().unwrap_or_default();
            now.saturating_sub(before)
        });
        added.sum()
    }
}

/// A server that runs. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) who: Who,
    /// Where it speaks HTTP/1.1.
    pub(super) address: SocketAddr,
    /// Where it speaks HTTP/2 in the clear.
    pub(super) http2: SocketAddr,
    /// Its first process.
    pub(super) process: i32,
    /// The file of its access log, if that is one.
    log: Option<PathBuf>,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Ledge(Ledge),
    Nginx(Nginx),
    Registry(Registry),
    /// Held, so that it runs.
    Hyper {
        _running: Yardstick,
    },
}

impl Running {
    /// The folder of its files, if it has any.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Ledge(ledge) => Some(ledge.folder()),
            Self::Nginx(nginx) => Some(nginx.folder()),
            Self::Registry(registry) => Some(registry.folder()),
            Self::Hyper { .. } => None,
        }
    }
}

impl Server {
    /// Starts one that has to fetch everything.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub(super) async fn start(who: Who, origins: Origins, set: &Set) -> Result<Self> {
        let started = match who {
            Who::Ledge => Self::ledge(who, origins, "16MiB").await,
            Who::Instance => Self::ledge(who, origins, "0").await,
            Who::Nginx => Self::nginx(origins).await,
            Who::Registry => Self::registry(origins).await,
            Who::Hyper => Self::hyper(origins, set).await,
        };
        started.with_context(|| format!("starting {}", who.name()))
    }

    async fn ledge(who: Who, origins: Origins, answers: &str) -> Result<Self> {
        let ledge = Ledge::start(origins, answers).await?;
        Ok(Self {
            who,
            address: ledge.address(),
            http2: ledge.address(),
            process: ledge.id(),
            log: Some(ledge.log()),
            running: Running::Ledge(ledge),
        })
    }

    async fn nginx(origins: Origins) -> Result<Self> {
        // Free again when the listener is dropped. nginx 1.22 speaks one of the two on a port.
        let http2 = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let configuration = |folder: &Path, address: SocketAddr| {
            NGINX
                .replace("{folder}", &folder.display().to_string())
                .replace("{address}", &address.to_string())
                .replace("{http2}", &http2.to_string())
                .replace("{origin}", &origins.fast.to_string())
                .replace("{slow}", &origins.slow.to_string())
        };
        let nginx = Nginx::serve(&configuration).await?;
        Ok(Self {
            who: Who::Nginx,
            address: nginx.address(),
            http2,
            process: nginx.id(),
            log: Some(nginx.folder().join("access.log")),
            running: Running::Nginx(nginx),
        })
    }

    async fn registry(origins: Origins) -> Result<Self> {
        let registry = Registry::start_mirror(Access::Open, origins.asked).await?;
        Ok(Self {
            who: Who::Registry,
            address: registry.address(),
            http2: registry.address(),
            process: registry.id(),
            log: None,
            running: Running::Registry(registry),
        })
    }

    /// It repeats what the origin answers, and logs nothing.
    async fn hyper(origins: Origins, set: &Set) -> Result<Self> {
        let hyper = hyper::start(origins.fast, &set.present()).await?;
        Ok(Self {
            who: Who::Hyper,
            address: hyper.address,
            http2: hyper.address,
            process: hyper.id(),
            log: None,
            running: Running::Hyper { _running: hyper },
        })
    }

    /// The processors' time that each of its processes had so far.
    pub(super) fn processor(&self) -> Times {
        let family = memory::family(self.process).into_iter();
        // One that ends right now has done nothing for anybody: nginx's loader of its cache is like that.
        let times = family.filter_map(|id| Some((id, processor::time_of(id).ok()?)));
        Times(times.collect())
    }

    /// Reads all its files, so that the kernel has them in memory: some kernels page out what is used rarely, and
    /// the disk's speed is nobody's merit.
    ///
    /// # Errors
    /// If one cannot be read.
    pub(super) async fn read(&self) -> Result<()> {
        let Some(folder) = self.running.folder().map(Path::to_owned) else {
            return Ok(());
        };
        let read = move || {
            for path in files::under(&folder) {
                io::copy(&mut fs::File::open(&path)?, &mut io::sink())?;
            }
            Ok(())
        };
        tokio::task::spawn_blocking(read).await?
    }

    /// Bytes that it had from the disk so far, because no memory had them.
    pub(super) fn read_from_disk(&self) -> u64 {
        let family = memory::family(self.process).into_iter();
        // One that ends right now was no worker.
        family
            .filter_map(|id| memory::read_from_disk(id).ok())
            .sum()
    }

    /// Empties its access log, so that no disk is filled; there must be something in it.
    ///
    /// # Errors
    /// If nothing was logged.
    pub(super) fn empty_log(&self) -> Result<()> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        // Whoever writes appends.
        let file = fs::OpenOptions::new().write(true).open(log)?;
        ensure!(file.metadata()?.len() > 0, "it logs no requests");
        Ok(file.set_len(0)?)
    }
}
