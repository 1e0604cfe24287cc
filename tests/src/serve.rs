//! The deployable component under `wasmtime serve`, with the component that plays Spin for it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::clients::say_skipped;
use crate::process::Process;

/// The most that a linear memory of an instance may grow to, in bytes: a quarter of what Akamai's functions have.
const MEMORY: usize = 32 << 20;

/// Where the component that plays Spin has its records.
const RECORDS: &str = "/key-value";

/// A running host.
#[derive(Debug)]
pub struct Served {
    process: Process,
    address: SocketAddr,
}

/// Wasmtime, and what it has compiled.
#[derive(Debug, Clone)]
pub struct Wasmtime {
    program: OsString,
    compiled: OsString,
}

impl Wasmtime {
    /// As `cargo xtask test` tells of them; `None`, and a line in the output, if it does not: to compile wasmtime takes
    /// as long as to compile Ledge, so CI does without.
    #[must_use]
    pub fn told() -> Option<Self> {
        let told = |name| std::env::var_os(name);
        let found = told("LEDGE_WASMTIME").zip(told("LEDGE_WASI_COMPILED"));
        if found.is_none() {
            say_skipped("wasmtime is not installed: `cargo xtask test --host wasmtime` does it");
        }
        let (program, compiled) = found?;
        Some(Self { program, compiled })
    }

    /// Starts it with these variables, and records in this folder.
    ///
    /// # Errors
    /// If it does not start; the error has its log.
    pub async fn serve(&self, records: &Path, variables: &Map<String, Value>) -> Result<Served> {
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "-S", "cli", "--addr", "127.0.0.1:0"])
            .args(["-W", &format!("max-memory-size={MEMORY}")])
            .arg(format!("--dir={}::{RECORDS}", records.display()));
        for (name, value) in variables {
            let name = name.to_ascii_uppercase();
            let value = value.as_str().context("a variable is a text")?;
            command.arg(format!("--env=SPIN_VARIABLE_{name}={value}"));
        }
        command.arg("--allow-precompiled").arg(&self.compiled);
        let process = Process::spawn("wasmtime", &mut command)?;
        let line = process.line("Serving HTTP on http://").await?;
        let (_, address) = line.split_once("http://").context("an address")?;
        let address = address.trim_end_matches('/').parse()?;
        Ok(Served { process, address })
    }
}

impl Served {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it and its instances wrote until now.
    #[must_use]
    pub fn seen_log(&self) -> String {
        self.process.log().join("\n")
    }
}
