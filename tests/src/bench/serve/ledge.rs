//! Ledge whose log goes to a file, as a service's does: whoever reads a pipe takes part of the same processors.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::servers::Origins;
use crate::ledge::{address, command};
use crate::process::{Process, READY};

const CONFIG: &str = include_str!("ledge.toml");

/// How often it is looked whether it listens.
const LOOK: Duration = Duration::from_millis(10);

/// A running Ledge with a store of its own.
#[derive(Debug)]
pub(super) struct Ledge {
    // Ended before its folder is removed.
    process: Process,
    folder: TempDir,
    address: SocketAddr,
}

impl Ledge {
    /// Starts it with an empty store, and with so much memory for answers.
    ///
    /// # Errors
    /// If it does not start; the error has its log.
    pub(super) async fn start(origins: Origins, answers: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ledge-store-").tempdir()?;
        let config = folder.path().join("ledge.toml");
        let text = CONFIG
            .replace("{answers}", answers)
            .replace("{origin}", &origins.fast.to_string())
            .replace("{slow}", &origins.slow.to_string());
        fs::write(&config, text)?;
        let command = command(&config, &folder.path().join("store"))?;
        let log = log(folder.path());
        fs::write(&log, "")?;
        let process = Process::spawn("ledge", &mut appending(command, &log))?;
        Ok(Self {
            address: listening(&log).await?,
            process,
            folder,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn id(&self) -> i32 {
        self.process.id()
    }

    /// The folder of its files.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of its log.
    pub(super) fn log(&self) -> PathBuf {
        log(self.folder.path())
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("ledge.log")
}

/// The same program, whose standard error is appended to a file: a shell opens that, and becomes the program.
fn appending(mut program: Command, log: &Path) -> Command {
    let mut words = vec![program.get_program().to_owned()];
    words.extend(program.get_args().map(ToOwned::to_owned));
    let environment: Vec<_> = program
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
        .collect();
    program = Command::new("sh");
    program
        .args(["-c", r#"exec "$@" 2>>"$0""#])
        .arg(log)
        .args(words);
    for (name, value) in environment {
        match value {
            Some(value) => program.env(name, value),
            None => program.env_remove(name),
        };
    }
    program
}

async fn listening(log: &Path) -> Result<SocketAddr> {
    let deadline = Instant::now() + READY;
    loop {
        let text = fs::read_to_string(log)?;
        if let Some(line) = text
            .lines()
            .find(|line| line.contains("listening on http://"))
        {
            return address(line).with_context(|| format!("no address in '{line}'"));
        }
        ensure!(Instant::now() < deadline, "not ready in {READY:?}:\n{text}");
        tokio::time::sleep(LOOK).await;
    }
}
