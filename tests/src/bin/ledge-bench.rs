//! `cargo xtask bench`: Ledge measured beside other servers.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use ledge_tests::bench::peers::Kind;
use ledge_tests::bench::serve::Case;
use ledge_tests::bench::spin::proxy;
use ledge_tests::bench::{Options, Suite, hyper, report};
use ledge_tests::{interrupt, process};

/// Measures Ledge beside other servers that do the same work.
#[derive(Debug, Parser)]
#[command(name = "ledge-bench", version, args_conflicts_with_subcommands = true)]
struct Command {
    #[command(subcommand)]
    hidden: Option<Hidden>,
    #[command(flatten)]
    bench: Bench,
}

#[derive(Debug, Args)]
struct Bench {
    /// What to measure; all of it but `serve`, `soak`, `bounded`, `fleet`, `growth` and `spin` if nothing is named.
    #[arg(value_enum)]
    cases: Vec<Suite>,
    /// Print one JSON object a line, and the tables to standard error.
    #[arg(long)]
    json: bool,
    /// How often every case is measured; `coalesce` and `growth` take at most 3 rounds, and others than Ledge one; `soak` and `bounded` take one.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..))]
    rounds: u32,
    /// What of `serve` is measured; all of it if nothing is named.
    #[arg(long = "cases", value_enum, value_delimiter = ',')]
    serve_cases: Vec<Case>,
    /// Seconds a case, server and round of `warm`, `growth` and `serve`.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..))]
    seconds: u32,
    /// Which mirrors are measured; `warm` has its own. `serve` knows bare hyper, too.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "ledge,nginx,distribution"
    )]
    servers: Vec<Kind>,
    /// Clients of `coalesce`.
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(1..))]
    clients: u32,
    /// Megabytes of the image of `coalesce`.
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(1..=4000))]
    megabytes: u32,
    /// How many times the link's own time a mirror may take in `coalesce`.
    #[arg(long, default_value_t = 15, value_parser = value_parser!(u32).range(1..))]
    patience: u32,
    /// Mebibytes of the blob of `slow-readers`.
    #[arg(long, default_value_t = 512, value_parser = value_parser!(u32).range(1..=4000))]
    blob_mib: u32,
    /// Clients of `soak`, each of which takes 100 MB.
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..))]
    soak_clients: u32,
}

#[derive(Debug, Subcommand)]
enum Hidden {
    /// Serves what another server serves.
    #[command(name = hyper::MODE, hide = true)]
    ServeHyper {
        /// The other server.
        from: SocketAddr,
        /// What to serve.
        paths: Vec<String>,
    },
    /// Passes requests on to another server.
    #[command(name = proxy::MODE, hide = true)]
    ServeProxy {
        /// The other server.
        to: SocketAddr,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let command = Command::parse();
    match command.hidden {
        Some(Hidden::ServeHyper { from, paths }) => {
            hyper::serve(from, &paths).await.context("serving")
        }
        Some(Hidden::ServeProxy { to }) => proxy::serve(to).await.context("passing on"),
        None => interrupt::or(bench(command.bench)).await,
    }
}

/// Each case is printed when it is done: an hour's work is not lost with its last minute.
async fn bench(bench: Bench) -> Result<()> {
    process::raise_open_files()?;
    let options = Options {
        rounds: bench.rounds,
        seconds: bench.seconds,
        cases: bench.serve_cases,
        servers: unique(bench.servers),
        clients: bench.clients,
        megabytes: bench.megabytes,
        patience: bench.patience,
        blob_mib: bench.blob_mib,
        soak_clients: bench.soak_clients,
    };
    for suite in suites(bench.cases) {
        let outcome = suite.run(&options).await?;
        if bench.json {
            eprint!("{}", outcome.table);
            print!("{}", report::json(&outcome.series));
        } else {
            print!("{}", outcome.table);
        }
    }
    Ok(())
}

/// Without what is named twice; `coalesce` has the ranges in it, and what takes minutes must be named.
fn suites(named: Vec<Suite>) -> Vec<Suite> {
    let all = if named.is_empty() {
        let variants = Suite::value_variants().iter().copied();
        variants
            .filter(|suite| {
                !matches!(
                    suite,
                    Suite::Serve
                        | Suite::Soak
                        | Suite::Bounded
                        | Suite::Fleet
                        | Suite::Growth
                        | Suite::Spin
                )
            })
            .collect()
    } else {
        unique(named)
    };
    let has_ranges = all.contains(&Suite::Coalesce);
    all.into_iter()
        .filter(|suite| !(has_ranges && *suite == Suite::CoalesceRanges))
        .collect()
}

fn unique<T: PartialEq>(named: Vec<T>) -> Vec<T> {
    let mut kept = Vec::new();
    for one in named {
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parsed(words: &[&str]) -> Command {
        Command::try_parse_from([&["ledge-bench"], words].concat()).expect("parses")
    }

    #[test]
    fn cases_and_options_are_told_apart_from_the_hidden_mode() {
        Command::command().debug_assert();
        let command = parsed(&[
            "coalesce",
            "first-byte",
            "--servers",
            "ledge,nginx",
            "--json",
        ]);
        assert!(command.hidden.is_none());
        assert_eq!(command.bench.cases, [Suite::Coalesce, Suite::FirstByte]);
        assert_eq!(command.bench.servers, [Kind::Ledge, Kind::Nginx]);
        let all = parsed(&[]).bench;
        assert_eq!((all.cases.len(), all.servers.len()), (0, 3));
        assert_eq!(all.soak_clients, 1000);
        assert_eq!(
            parsed(&["soak", "--soak-clients", "7"]).bench.soak_clients,
            7
        );
        let serve = parsed(&["serve", "--cases", "blob-1m,cpu"]).bench;
        assert_eq!(serve.cases, [Suite::Serve]);
        assert_eq!(serve.serve_cases, [Case::Blob1m, Case::Cpu]);
        assert!(
            parsed(&["serve-hyper", "127.0.0.1:1", "/a"])
                .hidden
                .is_some()
        );
        Command::try_parse_from(["ledge-bench", "nonsense"]).expect_err("no case");
    }

    #[test]
    fn nothing_is_measured_twice() {
        assert_eq!(suites(vec![Suite::Warm, Suite::Warm]), [Suite::Warm]);
        let both = vec![Suite::CoalesceRanges, Suite::Coalesce];
        assert_eq!(suites(both), [Suite::Coalesce]);
        assert_eq!(suites(vec![Suite::CoalesceRanges]), [Suite::CoalesceRanges]);
        assert!(!suites(Vec::new()).contains(&Suite::CoalesceRanges));
        assert!(suites(Vec::new()).contains(&Suite::Warm));
        assert!(!suites(Vec::new()).contains(&Suite::Serve));
        assert!(!suites(Vec::new()).contains(&Suite::Soak));
        assert!(!suites(Vec::new()).contains(&Suite::Bounded));
        assert!(!suites(Vec::new()).contains(&Suite::Growth));
        assert!(!suites(Vec::new()).contains(&Suite::Spin));
        assert_eq!(suites(vec![Suite::Soak]), [Suite::Soak]);
    }
}
