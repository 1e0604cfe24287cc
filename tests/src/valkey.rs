//! Redis, which speaks as Valkey does: Debian 12 has the one, and later ones the other.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::files;
use crate::process::Process;

/// The server's password.
pub const PASSWORD: &str = "valkey-s3cret";

/// A server that keeps nothing on a disk, and can be stopped and started again.
#[derive(Debug)]
pub struct Valkey {
    // Ended before its folder is removed.
    process: Option<Process>,
    folder: TempDir,
    address: SocketAddr,
}

impl Valkey {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ledge-valkey-").tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut valkey = Self {
            process: None,
            folder,
            address,
        };
        valkey.up().await?;
        Ok(valkey)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Starts it again, empty.
    ///
    /// # Errors
    /// As `start`.
    pub async fn up(&mut self) -> Result<()> {
        let program = files::program("valkey-server").or_else(|| files::program("redis-server"));
        let program = program.context("neither valkey-server nor redis-server is installed")?;
        let config = self.folder.path().join("server.conf");
        let (host, port) = (self.address.ip(), self.address.port());
        let text = format!(
            "bind {host}\nport {port}\nrequirepass {PASSWORD}\nsave \"\"\nappendonly no\ndir {}\n",
            self.folder.path().display()
        );
        fs::write(&config, text)?;
        let process = Process::spawn("valkey", Command::new(program).arg(&config))?;
        process.line("eady to accept connections").await?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it at once.
    pub fn down(&mut self) {
        self.process = None;
    }
}
