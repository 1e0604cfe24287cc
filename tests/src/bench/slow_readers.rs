//! A fast reader of a cold blob among slow ones: does it wait for them, and what do they cost?

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::board::{Board, Metric, Series};
use super::far::Far;
use super::memory::{Watch, mebibytes};
use super::peers::{Kind, Mirror, Settings};
use super::reader::Reader;
use super::sample::{self, Item};
use super::{Options, shown, told};

const CASE: &str = "slow-readers";

/// A rack of clients behind a bad switch.
const SLOW: usize = 64;

/// Bytes a second of a slow reader: 1 MB.
const PACE: f64 = 1e6;

/// Bytes that a slow reader takes at a time: twenty times a second.
const SIP: usize = 50_000;

/// How long the fast one may take: two minutes, beyond what any disk needs for the blob.
const BOUND: Duration = Duration::from_secs(120);

/// Measures it, over loopback: the fast reader alone, and among the slow ones, each time of a mirror
/// that has nothing.
///
/// # Errors
/// If the origin does not start. A mirror whose fast reader gets wrong bytes or waits too long is counted.
pub async fn run(options: &Options) -> Result<Vec<Series>> {
    let far = Far::start().await?;
    let blob = sample::blob(1, (options.blob_mib as usize) << 20);
    far.origin.put_blob(sample::REPOSITORY, &blob);
    let item = Arc::new(Item::blob(&blob));
    let mut board = Board::default();
    for round in 1..=options.rounds {
        for kind in &options.servers {
            let server = kind.name();
            let site = Site {
                kind: *kind,
                far: &far,
                item: &item,
            };
            let both = site.both().await;
            let Ok((alone, crowd)) = both else {
                board.failed(CASE, server, &both);
                continue;
            };
            told(CASE, round, server, &crowd.told(alone));
            for (metric, value) in crowd.metrics(alone) {
                board.add(CASE, server, metric, value);
            }
        }
    }
    Ok(board.series())
}

struct Site<'a> {
    kind: Kind,
    far: &'a Far,
    item: &'a Arc<Item>,
}

struct Crowd {
    fast: Duration,
    /// Slow readers that got wrong bytes, or none at all any more.
    failed: usize,
    /// Bytes.
    peak: u64,
}

impl Crowd {
    fn told(&self, alone: Duration) -> String {
        format!(
            "alone {}, among slow readers {}, {:.1} MiB, {} slow ones failed",
            shown(alone),
            shown(self.fast),
            mebibytes(self.peak),
            self.failed
        )
    }

    fn metrics(&self, alone: Duration) -> [(Metric, f64); 4] {
        let ratio = self.fast.as_secs_f64() / alone.as_secs_f64();
        [
            (Metric::FastRatio, ratio),
            (Metric::PeakMib, mebibytes(self.peak)),
            (Metric::Seconds, self.fast.as_secs_f64()),
            (Metric::Failed, self.failed as f64),
        ]
    }
}

impl Site<'_> {
    async fn both(&self) -> Result<(Duration, Crowd)> {
        let alone = self.alone().await.context("alone")?;
        let crowd = self.crowd().await.context("with slow readers")?;
        Ok((alone, crowd))
    }

    async fn mirror(&self) -> Result<Mirror> {
        Mirror::start(self.kind, self.far.origin.address(), &Settings::default()).await
    }

    async fn alone(&self) -> Result<Duration> {
        let mirror = self.mirror().await?;
        let reader = Reader::open(mirror.address()).await?;
        fast(reader, self.item).await
    }

    /// The slow ones ask first; they are cut when the fast one is done.
    async fn crowd(&self) -> Result<Crowd> {
        let mirror = self.mirror().await?;
        let together = Arc::new(Barrier::new(SLOW + 1));
        let mut readers = JoinSet::new();
        for _ in 0..SLOW {
            let reader = Reader::open(mirror.address()).await?;
            readers.spawn(slow(reader, Arc::clone(self.item), Arc::clone(&together)));
        }
        let reader = Reader::open(mirror.address()).await?;
        let watch = Watch::start(mirror.process());
        together.wait().await;
        let fast = fast(reader, self.item).await?;
        let peak = tokio::task::spawn_blocking(|| watch.peak()).await?;
        let mut failed = 0;
        while let Some(ended) = readers.try_join_next() {
            failed += usize::from(!matches!(ended, Ok(Ok(()))));
        }
        Ok(Crowd { fast, failed, peak })
    }
}

async fn fast(mut reader: Reader, item: &Item) -> Result<Duration> {
    let started = Instant::now();
    let read = async {
        let head = reader.ask(&item.path, None).await?;
        ensure!(head.status == 200, "{} for {}", head.status, item.path);
        reader.compare(&item.bytes).await
    };
    tokio::time::timeout(BOUND, read)
        .await
        .with_context(|| format!("not done after {BOUND:?}"))??;
    Ok(started.elapsed())
}

async fn slow(mut reader: Reader, item: Arc<Item>, together: Arc<Barrier>) -> Result<()> {
    together.wait().await;
    let head = reader.ask(&item.path, None).await?;
    ensure!(head.status == 200, "{} for {}", head.status, item.path);
    let started = tokio::time::Instant::now();
    let mut at = 0;
    while at < item.bytes.len() {
        let end = item.bytes.len().min(at + SIP);
        reader.compare(&item.bytes[at..end]).await?;
        at = end;
        tokio::time::sleep_until(started + Duration::from_secs_f64(at as f64 / PACE)).await;
    }
    Ok(())
}
