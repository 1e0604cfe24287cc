//! The deployable component on the host that is like Spin: a layer of 1 GiB cold and then warm, beside the bucket itself
//! and beside a bare proxy in front of it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::board::{Board, Metric, Series};
use super::memory::{high_water, mebibytes};
use super::peers::Nginx;
use super::reader::Reader;
use super::sample::{self, Item};
use super::{Options, processor, told};
use crate::config::Config;
use crate::ledge::Ledge;

mod bucket;
mod hash;
pub mod proxy;

use bucket::{KINDS, Kind, Server};
use hash::Hashing;
use proxy::Proxy;

/// The component.
const SPIN: &str = "ledge-spin";

/// The bucket, without anything between it and the client.
const BUCKET: &str = "bucket";

/// Bare hyper between them.
const PROXY: &str = "proxy";

/// Bytes of the layer.
const LAYER: usize = 1 << 30;

/// Measures it. Every round has buckets and hosts of its own, and an origin that does nothing but send.
///
/// # Errors
/// If something does not start. A client that gets wrong bytes is counted.
pub async fn run(options: &Options) -> Result<Vec<Series>> {
    let blob = sample::blob(1, LAYER);
    let item = Item::blob(&blob);
    let store = origin_s(&item, &blob.digest)?;
    let origin = Nginx::of_files(store.path()).await?;
    let hashing = Hashing::start().await?;
    let mut board = Board::default();
    for round in 1..=options.rounds {
        hashing.measure(&mut board, round).await?;
        for kind in KINDS {
            let case = kind.case();
            let site = Site::start(kind, origin.address()).await?;
            let rounded = site.round(&mut board, round, &item, &blob.digest).await;
            board.failed(case, SPIN, &rounded);
        }
    }
    Ok(board.series())
}

/// A folder with a layer, as a store has it.
fn origin_s(item: &Item, digest: &str) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("ledge-origin-").tempdir()?;
    let hex = digest.strip_prefix("sha256:").context("a SHA-256")?;
    let shelf = Path::join(folder.path(), "blobs/sha256").join(&hex[..2]);
    fs::create_dir_all(&shelf)?;
    fs::write(shelf.join(hex), &item.bytes)?;
    Ok(folder)
}

struct Site {
    case: &'static str,
    // Ended before the bucket is.
    ledge: Ledge,
    proxy: Proxy,
    bucket: Server,
}

/// One GET of the layer.
struct Got {
    /// Megabytes a second.
    rate: f64,
    /// Of the server's process.
    processor: Duration,
}

impl Site {
    async fn start(kind: Kind, origin: SocketAddr) -> Result<Self> {
        let bucket = Server::start(kind).await?;
        let config = Config::docker(origin);
        Ok(Self {
            case: kind.case(),
            ledge: Ledge::start_spin_at(&config, &bucket.place()).await?,
            proxy: Proxy::start(bucket.address()).await?,
            bucket,
        })
    }

    async fn round(&self, board: &mut Board, round: u32, item: &Item, digest: &str) -> Result<()> {
        let case = self.case;
        let (spin, spin_s) = (self.ledge.address(), self.ledge.id());
        let cold = get(spin, item, spin_s).await.context("cold")?;
        board.add(case, SPIN, Metric::ColdThroughput, cold.rate);

        let stored = Item {
            path: self.bucket.path(digest)?,
            bytes: item.bytes.clone(),
        };
        let own = i32::try_from(std::process::id())?;
        let bucket = get(self.bucket.address(), &stored, own).await;
        let bucket = bucket.context(BUCKET)?;
        board.add(case, BUCKET, Metric::Throughput, bucket.rate);
        let proxy = get(self.proxy.address, &stored, self.proxy.id()).await;
        let proxy = proxy.context(PROXY)?;
        let warm = get(spin, item, spin_s).await.context("warm")?;
        for (server, got) in [(PROXY, &proxy), (SPIN, &warm)] {
            board.add(case, server, Metric::Throughput, got.rate);
            board.add(case, server, Metric::RateToBucket, got.rate / bucket.rate);
            let gigabytes = LAYER as f64 / 1e9;
            let seconds = got.processor.as_secs_f64() / gigabytes;
            board.add(case, server, Metric::CpuPerGb, seconds);
        }
        board.add(case, SPIN, Metric::RateToProxy, warm.rate / proxy.rate);
        let guest = self.guest()?;
        board.add(case, SPIN, Metric::GuestMib, mebibytes(guest));
        let host = high_water(spin_s)?;
        board.add(case, SPIN, Metric::HighWaterMib, mebibytes(host));
        let line = format!(
            "cold {:.0} MB/s; warm {:.0}, a proxy {:.0}, the bucket {:.0}; guest {:.1} MiB, host {:.1} MiB",
            cold.rate,
            warm.rate,
            proxy.rate,
            bucket.rate,
            mebibytes(guest),
            mebibytes(host)
        );
        told(case, round, SPIN, &line);
        Ok(())
    }

    /// The most linear memory that an instance had, in bytes: the host prints every new peak.
    fn guest(&self) -> Result<u64> {
        let log = self.ledge.seen_log();
        let mut lines = log.iter().rev();
        let last = lines.find_map(|line| line.strip_prefix("memory: at most "));
        let number = last.and_then(|line| line.split(' ').next());
        Ok(number.context("no peak of memory")?.parse()?)
    }
}

/// GETs a layer over a connection of its own, and compares every byte.
async fn get(from: SocketAddr, item: &Item, server: i32) -> Result<Got> {
    let before = processor::time_of(server)?;
    let mut reader = Reader::open(from).await?;
    let started = Instant::now();
    let head = reader.ask(&item.path, None).await?;
    ensure!(head.status == 200, "{} for {}", head.status, item.path);
    reader.compare(&item.bytes).await?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(Got {
        rate: item.bytes.len() as f64 / 1e6 / seconds,
        processor: processor::time_of(server)?.saturating_sub(before),
    })
}
