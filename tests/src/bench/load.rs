//! The load of warm answers: cases that every server answers with the same bytes.
//!
//! The rounds go through all of them in turn, so that a slow minute of the machine is everybody's.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use super::board::{Board, Metric, Series};
use super::wrk;
use crate::{digest, http};

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
    pub metrics: &'static [Rate],
}

/// What the rate of answers is told as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Requests a second.
    Requests,
    /// Megabytes (10⁶ bytes) of bodies a second.
    Throughput,
}

impl Rate {
    fn of(self, requests_per_second: f64, case: &Case) -> (Metric, f64) {
        match self {
            Self::Requests => (Metric::Requests, requests_per_second),
            Self::Throughput => (
                Metric::Throughput,
                requests_per_second * case.size as f64 / 1e6,
            ),
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

/// Measures every case on every server, `plan.rounds` times.
///
/// # Errors
/// If a server answers wrongly, or `wrk` fails.
pub async fn measure(cases: &[Case], servers: &[Server], plan: Plan) -> Result<Vec<Series>> {
    for case in cases {
        for server in servers {
            check(case, server).await?;
        }
    }
    let mut board = Board::default();
    for round in 1..=plan.rounds {
        eprintln!("warm: round {round} of {}", plan.rounds);
        for case in cases {
            for server in servers {
                let rate = wrk::run(server.address, &case.path, plan.seconds).await?;
                for metric in case.metrics {
                    let (metric, value) = metric.of(rate, case);
                    board.add(case.name, server.name, metric, value);
                }
            }
        }
    }
    Ok(board.series())
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
