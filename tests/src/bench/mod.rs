//! The benchmarks' harness: suites of cases, servers, interleaved rounds, and a report.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

pub mod board;
pub mod bounded;
pub mod coalesce;
pub mod cold;
pub mod crowd;
pub mod far;
pub mod faults;
pub mod first_byte;
pub mod fleet;
pub mod growth;
pub mod hyper;
pub mod load;
pub mod memory;
pub mod peers;
pub mod processor;
pub mod pull;
pub mod reader;
pub mod report;
pub mod sample;
pub mod serve;
pub mod slow_readers;
pub mod soak;
pub mod spin;
pub mod warm;
pub mod wrk;

use board::Series;
use load::Plan;
use peers::Kind;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// Manifests and a blob of 1 MiB, all stored: beside bare hyper.
    Warm,
    /// Everything stored, beside nginx, a registry and bare hyper: only if it is named.
    Serve,
    /// Many clients, one cold image, a slow link: whole layers, and then `coalesce-ranges`.
    Coalesce,
    /// The same with containerd 2.1's ranges only.
    CoalesceRanges,
    /// The first byte of a cold blob, against the origin's own.
    FirstByte,
    /// One client, one cold image, against pulling it directly.
    Cold,
    /// A fast reader of a cold blob among slow ones, and the memory that they cost.
    SlowReaders,
    /// What each fault of an origin does to clients and to the store.
    Faults,
    /// A thousand clients, one cold blob, no slow link: only if it is named, for it takes minutes.
    Soak,
    /// What a store of 1 GiB takes of the disk while 10 GiB pass through it: only if it is named.
    Bounded,
    /// Three nodes that share a Valkey and a bucket, and the same with one of them killed: only if it is named.
    Fleet,
    /// A thousand, a hundred thousand and a million objects, asked for at random: only if it is named.
    Growth,
    /// A layer of 1 GiB through the component that is deployed to Spin: only if it is named.
    Spin,
}

/// How it is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// At least one.
    pub rounds: u32,
    /// Seconds a case, server and round of `warm`, `growth` and `serve`.
    pub seconds: u32,
    /// What of `serve` is measured; all of it if empty.
    pub cases: Vec<serve::Case>,
    /// Without repetition.
    pub servers: Vec<Kind>,
    /// Clients of `coalesce`.
    pub clients: u32,
    /// Megabytes (10⁶ bytes) of the image of `coalesce`.
    pub megabytes: u32,
    /// How many times its ideal time a server may take in `coalesce`.
    pub patience: u32,
    /// Mebibytes of the blob of `slow-readers`.
    pub blob_mib: u32,
    /// Clients of `soak`.
    pub soak_clients: u32,
}

/// What a suite came to.
#[derive(Debug)]
pub struct Outcome {
    /// For programs.
    pub series: Vec<Series>,
    /// For people.
    pub table: String,
}

impl Suite {
    /// Measures it.
    ///
    /// # Errors
    /// If a server does not start, or what must go right for a comparison goes wrong.
    pub async fn run(self, options: &Options) -> Result<Outcome> {
        let series = match self {
            Self::Warm => {
                warm::run(Plan {
                    rounds: options.rounds,
                    seconds: options.seconds,
                })
                .await?
            }
            Self::Coalesce => {
                let mut series = coalesce::run(options, pull::Style::Whole).await?;
                series.extend(coalesce::run(options, pull::Style::Ranges).await?);
                series
            }
            Self::CoalesceRanges => coalesce::run(options, pull::Style::Ranges).await?,
            Self::FirstByte => first_byte::run(options).await?,
            Self::Cold => cold::run(options).await?,
            Self::SlowReaders => slow_readers::run(options).await?,
            Self::Soak => soak::run(options).await?,
            Self::Bounded => bounded::run().await?,
            Self::Fleet => fleet::run(options).await?,
            Self::Spin => spin::run(options).await?,
            Self::Growth => {
                growth::run(Plan {
                    rounds: options.rounds.min(growth::ROUNDS),
                    seconds: options.seconds,
                })
                .await?
            }
            Self::Faults => return faults::run(options).await,
            Self::Serve => return serve::run(options).await,
        };
        Ok(Outcome {
            table: report::table(&series),
            series,
        })
    }
}

/// A line of progress, for who waits.
fn told(case: &str, round: u32, server: &str, what: &str) {
    eprintln!("{case}: round {round}: {server}: {what}");
}

/// Seconds with three digits, for progress.
fn shown(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
