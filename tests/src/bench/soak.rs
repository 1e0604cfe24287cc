//! A thousand clients and one cold blob, over loopback: does one transfer serve them all, and what
//! does it cost?

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::board::{Board, Metric, Series};
use super::crowd::{self, Burst};
use super::far::Far;
use super::memory::{Watch, mebibytes};
use super::peers::{Mirror, Settings};
use super::pull;
use super::reader::Reader;
use super::sample::{self, Item};
use super::{Options, told};
use crate::link::FAST;

const CASE: &str = "soak";

/// Bytes of the blob: a usual large layer.
const SIZE: usize = 100_000_000;

/// How long a mirror may take: five times what a hundred gigabytes need through the slowest one, which
/// moved 0.8 GB a second on two cores.
const BOUND: Duration = Duration::from_secs(10 * 60);

/// Measures it, in one round: each moves a hundred gigabytes.
///
/// # Errors
/// If a mirror does not start. A client that does not get every byte is counted.
pub async fn run(options: &Options) -> Result<Vec<Series>> {
    let far = Far::start().await?;
    let blob = sample::blob(1, SIZE);
    far.origin.put_blob(sample::REPOSITORY, &blob);
    let item = Arc::new(Item::blob(&blob));
    let mut board = Board::default();
    for kind in &options.servers {
        let server = kind.name();
        told(CASE, 1, server, "starts");
        // It counts; it does not slow down.
        let link = far.link(FAST).await?;
        let mirror = Mirror::start(*kind, link.address(), &Settings::default()).await?;
        link.forget();
        let watch = Watch::start(mirror.process());
        let burst = crowd(mirror.address(), &item, options.soak_clients, BOUND).await;
        let peak = tokio::task::spawn_blocking(|| watch.peak()).await?;
        burst.settle(&link).await;
        let line = format!("{}; {:.1} MiB", burst.told(&link), mebibytes(peak));
        told(CASE, 1, server, &line);
        burst.add(&mut board, (CASE, server), &link, SIZE as u64);
        board.add(CASE, server, Metric::PeakMib, mebibytes(peak));
    }
    Ok(board.series())
}

/// All ask at once. They connect before, one after the other: how long a listener's queue is, is not
/// the question here.
async fn crowd(address: SocketAddr, item: &Arc<Item>, clients: u32, bound: Duration) -> Burst {
    let started = Instant::now();
    let mut readers = Vec::new();
    for _ in 0..clients {
        let rest = bound.saturating_sub(started.elapsed());
        readers.push(timeout(rest, Reader::open(address)).await);
    }
    let client = |opened: Result<Result<Reader>, _>| {
        let item = Arc::clone(item);
        async move {
            let mut reader = opened.context("not connected in time")??;
            pull::whole(&mut reader, &item).await
        }
    };
    let rest = bound.saturating_sub(started.elapsed());
    crowd::gather(readers.into_iter().map(client), rest).await
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::script::{Act, Rule};

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "multi_thread")]
    async fn every_client_takes_every_byte() -> Result<()> {
        let far = Far::start().await?;
        let blob = sample::blob(2, 300_000);
        far.origin.put_blob(sample::REPOSITORY, &blob);
        let item = Arc::new(Item::blob(&blob));
        let link = far.link(FAST).await?;
        let burst = crowd(link.address(), &item, 5, MINUTE).await;
        assert_eq!((burst.done, burst.failed), (5, 0), "{burst:?}");
        assert_eq!((crowd::blob_gets(&link), link.bytes()), (5, 5 * 300_000));
        for act in [Act::Tamper, Act::Truncate(1000)] {
            far.origin.rule(Rule::new(&blob.digest, act).times(1));
            let burst = crowd(link.address(), &item, 5, MINUTE).await;
            assert_eq!((burst.done, burst.failed), (4, 1), "{burst:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn who_is_refused_has_failed() -> Result<()> {
        let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let item = Arc::new(Item::blob(&sample::blob(3, 10)));
        let burst = crowd(nobody, &item, 3, MINUTE).await;
        assert_eq!((burst.done, burst.failed), (0, 3), "{burst:?}");
        Ok(())
    }
}
