//! A second host for the deployable component, as like Spin 4.1 as its documentation and sources tell, and small.
//!
//! It reads `spin.toml`, gives the component what that grants, and serves. It is no Spin: one component, the HTTP
//! trigger, key-value stores of its own. What it has in common with Ledge's own host is wasmtime.
//!
//! Where a comment says *Spin*, the behaviour is that of Spin 4.1: its documentation (`spin-docs`, `content/v4`) or its
//! sources (`crates/`).

mod access;
mod arguments;
mod bindings;
mod client;
mod compile;
mod egress;
mod instance;
mod instances;
mod key_value;
mod linker;
mod manifest;
mod memory;
mod records;
mod routes;
mod serve;
mod template;
mod variables;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Compile { component, out } => compile::compile(component, out),
        Command::Up(up) => serve::up(up),
    }
}
