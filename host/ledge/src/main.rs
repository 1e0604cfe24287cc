//! `ledge`: an OCI registry mirror for the edge.

mod cli;
mod component;
mod connections;
mod credentials;
mod open_files;
mod respond;
mod serve;
mod shared;
mod tending;
mod upkeep;

use std::process::ExitCode;

use clap::Parser;

/// A request makes some forty short-lived allocations; this one makes them cheaper than the
/// system's does, and gives memory back after a burst.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::Cli::parse().run(serve::check, serve::run)
}
