//! One pull: how long it took, what left the origin, what each request was.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Site;
use super::catalogue::{Entry, Kind};
use crate::access::Access;
use crate::clients::skopeo::Skopeo;
use crate::http::{self, Answer};
use crate::images::{self, Image};

/// How often a pull that takes long tells how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// What a pull cost.
pub(super) struct Pull {
    pub(super) took: Duration,
    /// Bytes of bodies that left the origin.
    pub(super) bytes: u64,
    /// What Ledge's access log says of it.
    pub(super) requests: Vec<Access>,
}

/// Runs a pull, and says every few seconds how far it is.
pub(super) async fn measured<F>(site: &Site, pull: impl FnOnce() -> F) -> Result<Pull>
where
    F: Future<Output = Result<()>>,
{
    site.relay.forget();
    let before = site.ledge.accesses().await?.len();
    let started = Instant::now();
    tokio::select! {
        result = pull() => result?,
        () = tell(site) => {}
    }
    let took = started.elapsed();
    let requests = site.ledge.accesses().await?.split_off(before);
    Ok(Pull {
        took,
        bytes: site.relay.bytes(),
        requests,
    })
}

/// Never ends.
async fn tell(site: &Site) {
    let mut ticks = tokio::time::interval(TOLD_EVERY);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        eprintln!(
            "          {:.0} MB have left the origin",
            site.relay.bytes() as f64 / 1e6
        );
    }
}

/// Pulls, and compares every digest with the origin's.
pub(super) struct Client(pub(super) Skopeo);

impl Client {
    /// From the origin itself, over the slow link.
    pub(super) async fn direct(&self, origin: SocketAddr, entry: &Entry) -> Result<()> {
        self.pull(origin, &entry.repository(), entry).await
    }

    /// Through Ledge.
    pub(super) async fn through(&self, ledge: SocketAddr, entry: &Entry) -> Result<()> {
        self.pull(ledge, &format!("docker.io/{}", entry.repository()), entry)
            .await
    }

    async fn pull(&self, from: SocketAddr, repository: &str, entry: &Entry) -> Result<()> {
        if let Kind::Artifact { subject } = &entry.kind {
            return discover(from, repository, subject, &entry.image).await;
        }
        let stored = self
            .0
            .pull(from, &format!("{repository}:{}", entry.tag()))
            .await?;
        ensure!(
            stored == Skopeo::expects(&entry.image),
            "{} came with other digests: {stored:?}",
            entry.name
        );
        Ok(())
    }
}

/// The referrers of `subject`, and then the artifact.
async fn discover(
    from: SocketAddr,
    repository: &str,
    subject: &str,
    artifact: &Image,
) -> Result<()> {
    let referrers = referrers(from, repository, subject).await?;
    ensure!(
        referrers.text().contains(&artifact.root().digest),
        "it is not listed: {}",
        referrers.text()
    );
    let manifests = artifact
        .manifests
        .iter()
        .map(|object| (object, "manifests"));
    let blobs = artifact.blobs.iter().map(|object| (object, "blobs"));
    for (object, kind) in manifests.chain(blobs) {
        let path = format!("/v2/{repository}/{kind}/{}", object.digest);
        let answer = http::get(from, &path)
            .header("accept", images::OCI_MANIFEST)
            .fetch()
            .await?;
        ensure!(
            answer.digest() == object.digest,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
    Ok(())
}

/// From the API, or where the registry lacks it from the fallback tag (OCI
/// distribution specification 1.1, "Unavailable Referrers API").
async fn referrers(from: SocketAddr, repository: &str, subject: &str) -> Result<Answer> {
    let answer = http::get(from, &format!("/v2/{repository}/referrers/{subject}"))
        .fetch()
        .await?;
    if answer.status != 404 {
        return Ok(answer);
    }
    let tag = images::fallback_tag(subject);
    http::get(from, &format!("/v2/{repository}/manifests/{tag}"))
        .header("accept", images::OCI_INDEX)
        .fetch()
        .await
}
