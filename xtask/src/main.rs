//! Ledge's own commands: `cargo xtask setup`, `build`, `run`, `test`, `demo`, `bench` and `lint`.
//!
//! Each command first puts into place whatever it needs, and is quick when that is there. What this
//! program says goes to standard error; standard output belongs to the program that it runs.

mod apt;
mod bench;
mod build;
mod cli;
mod clients;
mod component;
mod demo;
mod deny;
mod exec;
mod files;
mod hosts;
mod limits;
mod lint;
mod progress;
mod run;
mod serve;
mod spin;
mod summary;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match dispatch(&cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: &cli::Cli) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::find()?;
    match &cli.command {
        cli::Command::Setup => toolchain::ensure(&workspace).map(drop),
        cli::Command::Build { spin: true, .. } => spin::build(&workspace),
        cli::Command::Build { wasi: true, .. } => spin::build_wasi(&workspace),
        cli::Command::Build { .. } => build::build(&workspace, &[]).map(drop),
        cli::Command::Run { arguments } => run::run(&workspace, arguments),
        cli::Command::Test(selection) => match selection.host {
            Some(cli::Host::Spin) => hosts::compare(&workspace, selection),
            Some(cli::Host::Wasmtime) | None => test::test(&workspace, selection),
        },
        cli::Command::Demo { arguments } => demo::demo(&workspace, arguments),
        cli::Command::Bench { arguments } => bench::bench(&workspace, arguments),
        cli::Command::Lint => lint::lint(&workspace),
    }
}
