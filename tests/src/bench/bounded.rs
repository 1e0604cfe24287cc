//! A store of 1 GiB under 10 GiB of pulls: what it takes of the disk, how many clients fail, how fast it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;

use super::board::{Board, Metric, Series};
use super::sample::{self, Item};
use super::told;
use crate::config::Config;
use crate::disk::Watch;
use crate::http;
use crate::ledge::Ledge;
use crate::origin::Origin;

const CASE: &str = "bounded";
const SERVER: &str = "ledge";

/// What the store may take, and what passes through it.
const BOUND: u64 = 1 << 30;
const STREAM: u64 = 10 * BOUND;

/// Three times what the store takes, in blobs of up to 24 MiB.
const BLOBS: u64 = 256;
const LARGEST: usize = 24 << 20;

/// As many as pull at once on a small site.
const CLIENTS: u64 = 16;

/// How often the disk is looked at.
const SAMPLE: Duration = Duration::from_millis(100);

/// Which blobs, and in which order.
const SEED: u64 = 20_260_601;

/// Measures it, once.
///
/// # Errors
/// If Ledge does not start. A client that does not get every byte is counted.
pub async fn run() -> Result<Vec<Series>> {
    let origin = Origin::start().await?;
    let mut random = StdRng::seed_from_u64(SEED);
    let blob = |number| sample::blob(SEED + number, random.random_range(1..LARGEST));
    let blobs: Vec<_> = (0..BLOBS).map(blob).collect();
    for blob in &blobs {
        origin.put_blob(sample::REPOSITORY, blob);
    }
    let items: Arc<Vec<Item>> = Arc::new(blobs.iter().map(Item::blob).collect());
    let config = Config::docker(origin.address());
    let config = config.setting("store", &format!("max_size = {BOUND}"));
    let ledge = Arc::new(Ledge::start(&config).await?);
    told(CASE, 1, SERVER, &format!("seed {SEED}"));
    let watch = Watch::start(ledge.store(), SAMPLE);
    let started = Instant::now();
    let failed = stream(&ledge, &items).await;
    let seconds = started.elapsed().as_secs_f64();
    let most = watch.end()?;
    let mut board = Board::default();
    board.add(CASE, SERVER, Metric::DiskRatio, most as f64 / BOUND as f64);
    board.add(CASE, SERVER, Metric::Failed, failed as f64);
    board.add(
        CASE,
        SERVER,
        Metric::Throughput,
        STREAM as f64 / 1e6 / seconds,
    );
    Ok(board.series())
}

/// How many pulls failed.
async fn stream(ledge: &Arc<Ledge>, items: &Arc<Vec<Item>>) -> u64 {
    let pulled = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (ledge, items, pulled) = (ledge.clone(), items.clone(), pulled.clone());
        clients.spawn(async move {
            let mut random = StdRng::seed_from_u64(SEED ^ (client + 1));
            let mut failed = 0;
            while pulled.load(Ordering::Relaxed) < STREAM {
                let item = &items[random.random_range(0..items.len())];
                pulled.fetch_add(item.bytes.len() as u64, Ordering::Relaxed);
                if let Err(error) = pull(&ledge, item).await {
                    eprintln!("{CASE}: {SERVER} FAILED: {error:#}");
                    failed += 1;
                }
            }
            failed
        });
    }
    let ended = clients.join_all().await;
    ended.into_iter().sum()
}

async fn pull(ledge: &Ledge, item: &Item) -> Result<()> {
    let answer = http::get(ledge.address(), &item.path).fetch().await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    ensure!(answer.body == item.bytes, "other bytes");
    Ok(())
}
