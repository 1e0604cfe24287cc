//! The main job, shown: a real registry behind a slow link, a real client, and
//! Ledge between them.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::clients::skopeo::Skopeo;
use crate::config::Config;
use crate::images;
use crate::ledge::Ledge;
use crate::link::SLOW;
use crate::registry::{Access, Registry};
use crate::relay::Relay;

mod catalogue;
mod pull;
mod table;

use catalogue::{Entry, Kind};
use pull::{Client, Pull};

/// Lines of Ledge's log that a failure shows.
const TAIL: usize = 10;

/// A site far from its registry.
struct Site {
    registry: Registry,
    relay: Relay,
    ledge: Ledge,
    client: Client,
}

/// The three pulls of one image.
struct Row {
    name: &'static str,
    megabytes: f64,
    pulls: [Pull; 3],
}

/// Shows it, and prints the table to standard output.
///
/// # Errors
/// If something is not installed, does not start, or serves wrong bytes.
pub async fn run() -> Result<()> {
    let started = Instant::now();
    let told = |what: &str| eprintln!("{:>6.1} s  {what}", started.elapsed().as_secs_f64());
    told("making images of this machine's files");
    let entries = tokio::task::spawn_blocking(catalogue::make).await??;
    told("starting docker-registry, a link of 40 ms each way and 100 Mbit/s, and Ledge");
    let site = Site::start().await?;
    for entry in &entries {
        told(&format!(
            "pushing {} ({:.1} MB)",
            entry.name,
            entry.megabytes()
        ));
        site.push(entry).await?;
    }
    let mut rows = Vec::new();
    for entry in &entries {
        told(&format!(
            "pulling {} with {}: direct, cold, warm",
            entry.name,
            entry.client_name()
        ));
        rows.push(site.row(entry).await.with_context(|| site.log())?);
    }
    told("pulling one cold image with four clients at once");
    let burst = site.burst().await.with_context(|| site.log())?;
    told("done");
    print!("{}", table::rows(&rows));
    print!("{}", table::burst(&burst));
    print!("{}", table::requests(&rows, &burst));
    Ok(())
}

/// What four clients of one cold image cost.
struct Burst {
    clients: usize,
    megabytes: f64,
    pull: Pull,
}

impl Site {
    async fn start() -> Result<Self> {
        let client =
            Client(Skopeo::start()?.context("skopeo is not installed: `apt-get install skopeo`")?);
        let registry = Registry::start(Access::Open).await?;
        let relay = Relay::start(registry.address(), SLOW).await?;
        let ledge = Ledge::start(&Config::docker(relay.address())).await?;
        Ok(Self {
            registry,
            relay,
            ledge,
            client,
        })
    }

    async fn push(&self, entry: &Entry) -> Result<()> {
        let repository = entry.repository();
        self.registry
            .push(&repository, entry.tag(), &entry.image)
            .await?;
        if let Kind::Artifact { subject } = &entry.kind {
            // This registry lacks the referrers API, so a client that pushes lists the artifact itself.
            let list = images::fallback(&[&entry.image]);
            self.registry
                .target()
                .manifest(&repository, &images::fallback_tag(subject), &list)
                .await?;
        }
        Ok(())
    }

    async fn row(&self, entry: &Entry) -> Result<Row> {
        let direct =
            pull::measured(self, || self.client.direct(self.relay.address(), entry)).await?;
        let cold =
            pull::measured(self, || self.client.through(self.ledge.address(), entry)).await?;
        let warm =
            pull::measured(self, || self.client.through(self.ledge.address(), entry)).await?;
        // Lists of referrers are the origin's to say, so they are asked for each time.
        let is_kept = matches!(entry.kind, Kind::Image);
        ensure!(
            !is_kept || warm.bytes == 0,
            "{} bytes left the origin for a warm {}",
            warm.bytes,
            entry.name
        );
        Ok(Row {
            name: entry.name,
            megabytes: entry.megabytes(),
            pulls: [direct, cold, warm],
        })
    }

    async fn burst(&self) -> Result<Burst> {
        let entry = tokio::task::spawn_blocking(catalogue::burst).await??;
        self.registry
            .push(&entry.repository(), entry.tag(), &entry.image)
            .await?;
        let clients: Vec<Client> = (0..4)
            .filter_map(|_| Skopeo::start().ok().flatten().map(Client))
            .collect();
        let address = self.ledge.address();
        let all = || async {
            let pulls = clients.iter().map(|client| client.through(address, &entry));
            futures::future::try_join_all(pulls).await.map(|_| ())
        };
        let pull = pull::measured(self, all).await?;
        Ok(Burst {
            clients: clients.len(),
            megabytes: entry.megabytes(),
            pull,
        })
    }

    /// The end of it: what happened last.
    fn log(&self) -> String {
        let log = self.ledge.seen_log();
        let tail = log
            .get(log.len().saturating_sub(TAIL)..)
            .unwrap_or_default();
        format!(
            "a pull failed; the end of Ledge's log:\n{}",
            tail.join("\n")
        )
    }
}
