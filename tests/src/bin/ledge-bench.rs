//! `cargo xtask bench`: Ledge measured beside other servers.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use ledge_tests::bench::{Plan, hyper, report, warm};
use ledge_tests::interrupt;

/// Measures Ledge beside other servers that serve the same bytes.
#[derive(Debug, Parser)]
#[command(name = "ledge-bench", version)]
struct Command {
    #[command(subcommand)]
    suite: Suite,
    /// Print one JSON object a line, and the table to standard error.
    #[arg(long, global = true)]
    json: bool,
    /// How often every case is measured.
    #[arg(long, global = true, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds a case, server and round.
    #[arg(long, global = true, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// Manifests and a blob of 1 MiB, all stored: beside bare hyper.
    Warm,
    /// Serves what another server serves.
    #[command(name = hyper::MODE, hide = true)]
    ServeHyper {
        /// The other server.
        from: SocketAddr,
        /// What to serve.
        paths: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let command = Command::parse();
    let plan = Plan {
        rounds: command.rounds,
        seconds: command.seconds,
    };
    match command.suite {
        Suite::ServeHyper { from, paths } => hyper::serve(from, &paths).await.context("serving"),
        Suite::Warm => {
            let series = interrupt::or(warm::run(plan)).await?;
            if command.json {
                eprint!("{}", report::table(&series));
                print!("{}", report::json(&series));
            } else {
                print!("{}", report::table(&series));
            }
            Ok(())
        }
    }
}
