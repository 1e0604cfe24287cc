//! One client, one cold image: what does the mirror cost who comes first?

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::board::{Board, Metric, Series};
use super::far::Far;
use super::peers::{Mirror, Settings};
use super::pull::{self, Style};
use super::sample::{self, Wants};
use super::{Options, shown, told};
use crate::link::SLOW;

const CASE: &str = "cold";

/// The server that is none.
const DIRECT: &str = "direct";

/// An image of a usual size: 74 MB.
const SIZE: usize = 74_000_000;

/// Four layers.
const LAYERS: [usize; 4] = [45, 30, 20, 5];

/// When a pull is given up: twenty times what the link alone needs.
const BOUND: Duration = Duration::from_secs(120);

/// Measures it. Every pull has a link of its own, and none shares it.
///
/// # Errors
/// If a mirror does not start, or the origin itself fails. A mirror that fails is counted.
pub async fn run(options: &Options) -> Result<Vec<Series>> {
    let far = Far::start().await?;
    let image = sample::image(1, &sample::shares(SIZE, &LAYERS))?;
    let wants = Wants::put(&far.origin, &image)?;
    let mut board = Board::default();
    for round in 1..=options.rounds {
        let link = far.link(SLOW).await?;
        let direct = timed(link.address(), &wants).await.context(DIRECT)?;
        told(CASE, round, DIRECT, &shown(direct));
        board.add(CASE, DIRECT, Metric::Seconds, direct.as_secs_f64());
        for kind in &options.servers {
            let link = far.link(SLOW).await?;
            let mirror = Mirror::start(*kind, link.address(), &Settings::default()).await?;
            let pulled = timed(mirror.address(), &wants).await;
            board.failed(CASE, kind.name(), &pulled);
            if let Ok(time) = pulled {
                told(CASE, round, kind.name(), &shown(time));
                let ratio = time.as_secs_f64() / direct.as_secs_f64();
                board.add(CASE, kind.name(), Metric::TimeRatioToDirect, ratio);
                board.add(CASE, kind.name(), Metric::Seconds, time.as_secs_f64());
            }
        }
    }
    Ok(board.series())
}

async fn timed(address: SocketAddr, wants: &Wants) -> Result<Duration> {
    let started = Instant::now();
    let pulled = pull::pull(address, wants, Style::Whole);
    tokio::time::timeout(BOUND, pulled)
        .await
        .with_context(|| format!("not done after {BOUND:?}"))??;
    Ok(started.elapsed())
}
