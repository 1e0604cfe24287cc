//! How long after the origin's own first byte does the mirror's come?

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::board::{Board, Metric, Series};
use super::far::Far;
use super::peers::{Mirror, Settings};
use super::reader::Reader;
use super::sample::{self, Item};
use super::{Options, told};
use crate::link::{SLOW, Speed};

const CASE: &str = "first-byte";

/// Latency only: the pace of a link says nothing of a first byte, and adds noise to it.
const LINK: Speed = Speed {
    latency: SLOW.latency,
    rate: None,
};

/// Cold blobs a round; five rounds have twenty-five.
const BLOBS: u32 = 5;

/// Fewer blobs than this have no median worth telling.
const LEAST: u32 = 20;

/// A small layer: 1 MiB.
const SIZE: usize = 1 << 20;

/// A blob that takes longer is given up.
const BOUND: Duration = Duration::from_secs(30);

/// Somebody whom the same connection asks for one blob after the other.
struct Asked {
    name: &'static str,
    reader: Reader,
    mirror: Mirror,
}

/// Measures it: every blob is asked for directly and then of every mirror, all over one link.
///
/// # Errors
/// If a mirror does not start, or the origin itself fails. A mirror that fails is counted.
pub async fn run(options: &Options) -> Result<Vec<Series>> {
    let far = Far::start().await?;
    let link = far.link(LINK).await?;
    let mut direct = Reader::open(link.address()).await?;
    let mut mirrors = Vec::new();
    for kind in &options.servers {
        let mirror = Mirror::start(*kind, link.address(), &Settings::default()).await?;
        mirrors.push(Asked {
            name: kind.name(),
            reader: Reader::open(mirror.address()).await?,
            mirror,
        });
    }
    let mut board = Board::default();
    let blobs = (options.rounds * BLOBS).max(LEAST);
    for number in 0..=blobs {
        let blob = sample::blob(u64::from(number), SIZE);
        far.origin.put_blob(sample::REPOSITORY, &blob);
        let item = Item::blob(&blob);
        let own = first_byte(&mut direct, &item).await.context("direct")?;
        for asked in &mut mirrors {
            let time = first_byte(&mut asked.reader, &item).await;
            if time.is_err() {
                asked.reader = Reader::open(asked.mirror.address()).await?;
            }
            // The first blob makes the mirror's connection to the origin, as the direct client has one.
            if number == 0 {
                continue;
            }
            board.failed(CASE, asked.name, &time);
            if let Ok(time) = time {
                let added = (time.as_secs_f64() - own.as_secs_f64()) * 1e3;
                board.add(CASE, asked.name, Metric::AddedMs, added);
            }
        }
        if number % BLOBS == 0 {
            let what = format!("{number} of {blobs} blobs");
            told(CASE, number / BLOBS, "all", &what);
        }
    }
    Ok(board.series())
}

/// From the request to the first byte of the body; then takes the rest of it.
async fn first_byte(reader: &mut Reader, item: &Item) -> Result<Duration> {
    let asked = async {
        let started = Instant::now();
        let head = reader.ask(&item.path, None).await?;
        ensure!(head.status == 200, "{} for {}", head.status, item.path);
        reader.first().await?;
        let time = started.elapsed();
        reader.compare(&item.bytes).await?;
        Ok(time)
    };
    tokio::time::timeout(BOUND, asked)
        .await
        .with_context(|| format!("not done after {BOUND:?}"))?
}
