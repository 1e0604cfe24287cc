//! From the start of the process to its first answer, with many objects in the store.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::set::SEED;
use crate::bench::board::{Board, Metric};
use crate::bench::growth::stock::{Asked, Stock};
use crate::bench::{shown, told};
use crate::config::{Config, Upstream};
use crate::digest;
use crate::ledge::Ledge;
use crate::origin::Origin;

const OBJECTS: u64 = 100_000;

pub(super) const CASE: &str = "start";

/// Far above what an end takes that writes everything down.
const END: Duration = Duration::from_secs(60);

/// Starts it so many times.
///
/// # Errors
/// If it does not start or end, or answers wrongly.
pub(super) async fn run(rounds: u32, origin: &Origin, board: &mut Board) -> Result<()> {
    let stock = Stock::fill(SEED, OBJECTS, origin).await?;
    let upstream = Upstream::new("docker.io", origin.address());
    let config = Config::only(upstream.line("fresh = \"1day\"".to_owned()));
    for round in 1..=rounds {
        let took = once(&stock, &config).await?;
        told(CASE, round, "ledge", &shown(took));
        board.add(CASE, "ledge", Metric::StartSeconds, took.as_secs_f64());
    }
    Ok(())
}

async fn once(stock: &Stock, config: &Config) -> Result<Duration> {
    let wanted = stock.wanted(Asked::Tags, 0);
    let began = Instant::now();
    let ledge = Ledge::start_in(config, stock.store()).await?;
    let answer = ledge.get(&wanted.path).fetch().await?;
    let took = began.elapsed();
    ensure!(digest::of(&answer.body) == wanted.digest, "other bytes");
    ledge.terminate();
    ensure!(ledge.ended(END).await?.success(), "it did not end well");
    Ok(took)
}
