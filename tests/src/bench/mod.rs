//! The benchmarks' harness: cases, servers, interleaved rounds, and a report.
//!
//! Every server answers every case with the same bytes. The rounds go through
//! all of them in turn, so that a slow minute of the machine is everybody's.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::{digest, http};

pub mod hyper;
pub mod report;
pub mod warm;
pub mod wrk;

/// How many rounds, and how long each case takes in one.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// At least one.
    pub rounds: u32,
    /// Seconds a case, server and round.
    pub seconds: u32,
}

/// One kind of request.
#[derive(Debug, Clone)]
pub struct Case {
    /// `manifest-by-tag`
    pub name: &'static str,
    /// What is asked for.
    pub path: String,
    /// What must come back.
    pub digest: String,
    /// Bytes of the body.
    pub size: u64,
    /// What is told of it.
    pub metrics: &'static [Metric],
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Requests a second.
    Requests,
    /// Megabytes (10⁶ bytes) of bodies a second.
    Throughput,
}

impl Metric {
    /// Its name and unit in reports.
    #[must_use]
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Requests => ("requests", "req/s"),
            Self::Throughput => ("throughput", "MB/s"),
        }
    }

    fn of(self, requests_per_second: f64, case: &Case) -> f64 {
        match self {
            Self::Requests => requests_per_second,
            Self::Throughput => requests_per_second * case.size as f64 / 1e6,
        }
    }
}

/// Something that answers the cases.
#[derive(Debug, Clone)]
pub struct Server {
    /// `ledge`, `hyper`, …
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The values of one metric, one a round.
#[derive(Debug, Clone)]
pub struct Series {
    /// The case's name.
    pub case: &'static str,
    /// The server's name.
    pub server: &'static str,
    /// What was measured.
    pub metric: Metric,
    /// In the order of the rounds.
    pub values: Vec<f64>,
}

/// Measures every case on every server, `plan.rounds` times.
///
/// # Errors
/// If a server answers wrongly, or `wrk` fails.
pub async fn measure(cases: &[Case], servers: &[Server], plan: Plan) -> Result<Vec<Series>> {
    let mut series = Vec::new();
    for case in cases {
        for server in servers {
            check(case, server).await?;
            let of = |metric| Series {
                case: case.name,
                server: server.name,
                metric,
                values: Vec::new(),
            };
            series.extend(case.metrics.iter().copied().map(of));
        }
    }
    for round in 1..=plan.rounds {
        eprintln!("round {round} of {}", plan.rounds);
        for case in cases {
            for server in servers {
                let rate = wrk::run(server.address, &case.path, plan.seconds).await?;
                let own = series
                    .iter_mut()
                    .filter(|one| one.case == case.name && one.server == server.name);
                own.for_each(|one| one.values.push(one.metric.of(rate, case)));
            }
        }
    }
    Ok(series)
}

/// A benchmark of wrong answers would be none.
async fn check(case: &Case, server: &Server) -> Result<()> {
    let answer = http::get(server.address, &case.path).fetch().await?;
    let got = digest::of(&answer.body);
    ensure!(
        answer.status == 200 && got == case.digest,
        "{} answers {} with {} {got}",
        server.name,
        case.name,
        answer.status
    );
    Ok(())
}
