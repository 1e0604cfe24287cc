//! `ledge`: an OCI registry mirror for the edge.

mod cli;
mod component;
mod respond;
mod serve;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::Cli::parse().run(serve::run)
}
