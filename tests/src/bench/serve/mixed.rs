//! Manifests that are stored, beside blobs that come over a slow link.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;

use super::case::Shape;
use super::seen::Seen;
use super::servers::Server;
use super::set::{Asked, SEED, Set};
use super::wrk::{self, Run};
use crate::bench::reader::Reader;
use crate::bench::sample;
use crate::images::Object;
use crate::link;
use crate::origin::Origin;
use crate::relay::Relay;

/// How many blobs come at once.
const TRANSFERS: u64 = 50;

/// Connections that ask for manifests.
const CONNECTIONS: u32 = 4;

/// For so much longer than the manifests are asked for the blobs come: clients connect, and `wrk` starts.
const SPARE_SECONDS: u64 = 2;

/// How often it is looked whether the blobs come.
const LOOK: Duration = Duration::from_millis(10);

/// What is asked for, and how it gets to the servers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) origin: &'a Origin,
    pub(super) slow: &'a Relay,
    pub(super) set: &'a Set,
}

/// The manifests alone, and beside the blobs of this round.
///
/// # Errors
/// If an answer is not what was asked for, or the blobs were there before the manifests.
pub(super) async fn run(
    scene: Scene<'_>,
    server: &Server,
    seconds: u32,
    round: u32,
) -> Result<[Seen; 2]> {
    let run = Run {
        asked: Asked::Tags,
        shape: Shape::Whole,
        connections: CONNECTIONS,
        seconds,
        seed: SEED + u64::from(round),
    };
    let idle = wrk::run(server, scene.set, run).await?;
    let blobs = blobs(seconds, round);
    for blob in &blobs {
        scene.origin.put_blob("cold", blob);
    }
    scene.slow.forget();
    let total: u64 = blobs.iter().map(|blob| blob.bytes.len() as u64).sum();
    let mut transfers = JoinSet::new();
    for blob in blobs {
        transfers.spawn(take(server.address, blob));
    }
    while scene.slow.bytes() == 0 && !transfers.is_empty() {
        tokio::time::sleep(LOOK).await;
        if let Some(early) = transfers.try_join_next() {
            early??;
        }
    }
    let busy = wrk::run(server, scene.set, run).await?;
    ensure!(
        scene.slow.bytes() < total,
        "the blobs were there before the manifests"
    );
    while let Some(transfer) = transfers.join_next().await {
        transfer??;
    }
    Ok([idle, busy])
}

/// Together they fill the link for as long as it takes.
fn blobs(seconds: u32, round: u32) -> Vec<Object> {
    let rate = link::SLOW.rate.unwrap_or_default();
    let size = rate * (u64::from(seconds) + SPARE_SECONDS) / TRANSFERS;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    // Far from the seeds of the set.
    let first = SEED ^ (u64::from(round) << 48);
    (0..TRANSFERS)
        .map(|number| sample::blob(first + number, size))
        .collect()
}

async fn take(server: SocketAddr, blob: Object) -> Result<()> {
    let path = format!("/v2/slow.test/cold/blobs/{}", blob.digest);
    let mut reader = Reader::open(server).await?;
    let head = reader.ask(&path, None).await?;
    ensure!(head.status == 200, "{path}: {head:?}");
    reader.compare(&blob.bytes).await
}
