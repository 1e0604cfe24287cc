//! Three nodes, one Valkey, one bucket, one cold image: what crosses the slow link, and what the death of a node costs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::oneshot;

use super::board::{Board, Series};
use super::coalesce::{ideal, layers};
use super::crowd::{self, Burst};
use super::far::Far;
use super::pull::{self, Style};
use super::sample::{self, Wants};
use super::{Options, told};
use crate::ledge::Ledge;
use crate::link::SLOW;
use crate::nodes::Common;
use crate::relay::Relay;
use crate::s3::S3;
use crate::valkey::Valkey;

const SERVER: &str = "ledge";

const NODES: usize = 3;

/// Clients of all nodes together, who start within [`SPREAD`].
const CLIENTS: u32 = 300;
const SPREAD: Duration = Duration::from_secs(1);

/// The part of the image that has crossed the link when a node is killed.
const KILLED_AT: f64 = 0.3;

/// Measures it, once: all nodes well, and then one of them killed in the middle of its transfers.
///
/// # Errors
/// If a node, the Valkey or the S3 server does not start.
pub async fn run(options: &Options) -> Result<Vec<Series>> {
    let far = Far::start().await?;
    let image = sample::image(1, &layers(options))?;
    let wants = Arc::new(Wants::put(&far.origin, &image)?);
    let bound = ideal(&wants) * options.patience;
    let mut board = Board::default();
    for (case, is_killed) in [("fleet", false), ("fleet-killed", true)] {
        told(case, 1, SERVER, "starts");
        let (valkey, s3, link) = (
            Valkey::start().await?,
            S3::start().await?,
            far.link(SLOW).await?,
        );
        let common = Common {
            valkey: Some(&valkey),
            s3: Some(&s3),
        };
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            nodes.push(common.at(link.address()).await?);
        }
        link.forget();
        let victim = is_killed.then(|| nodes.swap_remove(0));
        let burst = pull_at(&nodes, victim, &link, &wants, bound).await?;
        burst.settle(&link).await;
        told(case, 1, SERVER, &burst.told(&link));
        burst.add(&mut board, (case, SERVER), &link, wants.size);
    }
    Ok(board.series())
}

/// How the clients of all nodes fared that are not killed. The victim's come first, and so it fetches first.
async fn pull_at(
    nodes: &[Ledge],
    victim: Option<Ledge>,
    link: &Relay,
    wants: &Arc<Wants>,
    bound: Duration,
) -> Result<Burst> {
    let started = tokio::time::Instant::now();
    let client = |number: u32, address| {
        let wants = wants.clone();
        let start = started + SPREAD * number / CLIENTS;
        async move {
            tokio::time::sleep_until(start).await;
            pull::pull(address, &wants, Style::Whole).await
        }
    };
    let (over, is_over) = oneshot::channel::<()>();
    let lost = victim.as_ref().map(|victim| {
        let each = CLIENTS / u32::try_from(NODES).unwrap_or(1);
        let clients: Vec<_> = (0..each)
            .map(|number| client(number, victim.address()))
            .collect();
        tokio::spawn(async move {
            tokio::select! {
                _ = crowd::gather(clients, bound) => {}
                _ = is_over => {}
            }
        })
    });
    let addresses = nodes.iter().map(Ledge::address).cycle();
    let count = CLIENTS - victim.as_ref().map_or(0, |_| CLIENTS / 3);
    let clients = (1..=count)
        .zip(addresses)
        .map(|(number, at)| client(number, at));
    let (burst, killed) = tokio::join!(
        crowd::gather(clients, bound),
        kill(victim, link, wants.size)
    );
    killed?;
    drop(over);
    if let Some(lost) = lost {
        lost.await
            .context("the clients of the node that was killed")?;
    }
    Ok(burst)
}

/// Kills the node in the middle of what it fetches.
async fn kill(victim: Option<Ledge>, link: &Relay, size: u64) -> Result<()> {
    let Some(mut victim) = victim else {
        return Ok(());
    };
    while (link.bytes() as f64) < KILLED_AT * size as f64 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    victim.kill();
    told("fleet-killed", 1, SERVER, "a node is killed");
    Ok(())
}
