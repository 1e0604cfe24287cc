//! SHA-256 in a guest: the data plane's own code, compiled as that is, and nothing else.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::bench::board::{Board, Metric};
use crate::bench::told;
use crate::process::Process;
use crate::{digest, http, spin};

const CASE: &str = "spin-hash";

/// In the component.
const GUEST: &str = "guest";

/// The same library, compiled for this processor.
const NATIVE: &str = "native";

/// Mebibytes, of which a guest's slowest hash takes a few seconds.
const MEBIBYTES: usize = 512;

/// What the guest hashes, again and again.
static SEVENS: [u8; 1 << 20] = [7; 1 << 20];

/// The component on the host that is like Spin.
#[derive(Debug)]
pub(super) struct Hashing {
    _process: Process,
    address: SocketAddr,
}

impl Hashing {
    pub(super) async fn start() -> Result<Self> {
        let compiled = std::env::var_os("LEDGE_HASHING_COMPILED");
        let mut command = Command::new(spin::host()?);
        command
            .args(["up", "--listen", "127.0.0.1:0", "--from"])
            .arg(spin::top()?.join("tests/hashing-guest/spin.toml"))
            .arg("--compiled")
            .arg(compiled.context("run `cargo xtask bench spin`")?);
        let process = Process::spawn("spin", &mut command)?;
        let line = process.line("listening on http://").await?;
        let (_, address) = line.split_once("http://").context("an address")?;
        Ok(Self {
            address: address.parse()?,
            _process: process,
        })
    }

    /// Measures one round.
    pub(super) async fn measure(&self, board: &mut Board, round: u32) -> Result<()> {
        let (right, native) = tokio::task::spawn_blocking(native).await?;
        let answer = http::get(self.address, &format!("/{MEBIBYTES}"))
            .fetch()
            .await?;
        ensure!(answer.header("digest") == right, "the guest hashes wrongly");
        let guest = Duration::from_nanos(answer.header("nanoseconds").parse()?);
        for (server, time) in [(GUEST, guest), (NATIVE, native)] {
            let rate = (MEBIBYTES << 20) as f64 / 1e6 / time.as_secs_f64();
            told(CASE, round, server, &format!("{rate:.0} MB/s"));
            board.add(CASE, server, Metric::Throughput, rate);
        }
        Ok(())
    }
}

/// The digest, and how long it takes without a guest.
fn native() -> (String, Duration) {
    let started = Instant::now();
    let mut hash = Sha256::new();
    for _ in 0..MEBIBYTES {
        hash.update(SEVENS);
    }
    let digest = digest::named("sha256", &hash.finalize());
    (digest, started.elapsed())
}
