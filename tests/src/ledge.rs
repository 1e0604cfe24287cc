//! Ledge itself, as its users start it: a binary, a file, a folder, a port.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::access::Access;
use crate::config::Config;
use crate::http::{self, Request};
use crate::process::Process;
use crate::s3::S3;
use crate::spin::{self, Place, Start};

/// A running Ledge with a store of its own.
#[derive(Debug)]
pub struct Ledge {
    // Ended before its folder is removed.
    process: Process,
    folder: TempDir,
    store: PathBuf,
    address: SocketAddr,
    /// Where its objects are, if that is not its store.
    bucket: Option<S3>,
    /// How many marks were set in its log.
    markers: AtomicU64,
}

/// The configuration's file in its folder.
const CONFIG: &str = "ledge.toml";

/// Any free port.
const ANY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Where requests go that only mark a place in the log; not the registry's.
const MARKER: &str = "/marked/";

/// The binary under test: `LEDGE_BIN`, else the release build beside this one.
///
/// # Errors
/// If there is none; the message says how to build it.
pub fn binary() -> Result<PathBuf> {
    built("LEDGE_BIN", "ledge")
}

/// A program of the workspace: the file that the variable names, else the release build beside this program.
pub(crate) fn built(variable: &str, name: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("finding this program")?;
    own.ancestors()
        .flat_map(|folder| [folder.join(name), folder.join("release").join(name)])
        .find(|path| path.is_file())
        .with_context(|| format!("no {name}: run `cargo xtask build`, or set {variable}"))
}

/// The binary under test, which settings of the caller's environment do not reach.
pub(crate) fn program() -> Result<Command> {
    let mut command = Command::new(binary()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LEDGE_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

impl Ledge {
    /// Starts it with an empty store, and waits until it listens.
    ///
    /// # Errors
    /// If it does not start; the error has its log.
    pub async fn start(config: &Config) -> Result<Self> {
        let (folder, store) = folder(config)?;
        Self::launch(folder, store, None, &[]).await
    }

    /// Starts the deployable component on the host that is like Spin, wherever others are started.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_spin(config: &Config) -> Result<Self> {
        let (folder, store) = folder(config)?;
        Self::spin(folder, store, ANY, &[], None).await
    }

    /// The same with its objects in a place that outlives it. It cannot be restarted.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_spin_at(config: &Config, place: &Place) -> Result<Self> {
        let (folder, store) = folder(config)?;
        Self::placed(folder, store, ANY, &[], place).await
    }

    /// Starts it at an address that its configuration may name.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_at(config: impl FnOnce(SocketAddr) -> Config) -> Result<Self> {
        // Free again when the listener is dropped.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let (folder, store) = folder(&config(address))?;
        if spin::is_meant()? {
            return Self::spin(folder, store, address, &[], None).await;
        }
        let command = command_at(address, &folder.path().join(CONFIG), &store)?;
        Self::run(folder, store, command).await
    }

    /// Starts it with these environment variables, and an empty store.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_with(config: &Config, variables: &[(&str, OsString)]) -> Result<Self> {
        let (folder, store) = folder(config)?;
        Self::launch(folder, store, None, variables).await
    }

    /// Starts it with its store in a folder that is there, and stays.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_in(config: &Config, store: &Path) -> Result<Self> {
        Self::launch(folder(config)?.0, store.to_owned(), None, &[]).await
    }

    /// Starts it with another component than its own.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_component(config: &Config, component: &Path) -> Result<Self> {
        let (folder, store) = folder(config)?;
        Self::launch(folder, store, Some(component), &[]).await
    }

    /// Starts it again on the same store, after `kill` or an end of its own.
    ///
    /// # Errors
    /// As `start`.
    pub async fn restart(mut self) -> Result<Self> {
        self.process.kill();
        if let Some(bucket) = self.bucket {
            return Self::spin(self.folder, self.store, ANY, &[], Some(bucket)).await;
        }
        Self::launch(self.folder, self.store, None, &[]).await
    }

    async fn launch(
        folder: TempDir,
        store: PathBuf,
        component: Option<&Path>,
        variables: &[(&str, OsString)],
    ) -> Result<Self> {
        if spin::is_meant()? {
            ensure!(
                component.is_none(),
                "the deployable component is the only one there"
            );
            return Self::spin(folder, store, ANY, variables, None).await;
        }
        let mut command = command(&folder.path().join(CONFIG), &store)?;
        command.envs(variables.iter().cloned());
        if let Some(component) = component {
            command.arg("--component").arg(component);
        }
        Self::run(folder, store, command).await
    }

    /// Starts it on the host that is like Spin.
    async fn spin(
        folder: TempDir,
        store: PathBuf,
        listen: SocketAddr,
        environment: &[(&str, OsString)],
        bucket: Option<S3>,
    ) -> Result<Self> {
        let bucket = match bucket {
            Some(bucket) => bucket,
            None => S3::start().await?,
        };
        let place = Place::bucket(&bucket);
        let mut ledge = Self::placed(folder, store, listen, environment, &place).await?;
        ledge.bucket = Some(bucket);
        Ok(ledge)
    }

    async fn placed(
        folder: TempDir,
        store: PathBuf,
        listen: SocketAddr,
        environment: &[(&str, OsString)],
        place: &Place,
    ) -> Result<Self> {
        let command = spin::command(&Start {
            listen,
            config: &folder.path().join(CONFIG),
            state: &store,
            environment,
            place,
        })?;
        Self::run(folder, store, command).await
    }

    async fn run(folder: TempDir, store: PathBuf, mut command: Command) -> Result<Self> {
        let process = Process::spawn("ledge", &mut command)?;
        let line = process.line("listening on http://").await?;
        let address = address(&line).with_context(|| format!("no address in '{line}'"))?;
        Ok(Self {
            process,
            folder,
            store,
            address,
            bucket: None,
            markers: AtomicU64::new(0),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.process.id()
    }

    /// The folder of its store: that of its bucket, if it keeps objects there.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        let bucket = self.bucket.as_ref().map(S3::bucket);
        bucket.unwrap_or_else(|| self.store.clone())
    }

    /// Its configuration's file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join(CONFIG)
    }

    /// GET a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Request {
        http::get(self.address, path)
    }

    /// HEAD a path.
    #[must_use]
    pub fn head(&self, path: &str) -> Request {
        http::head(self.address, path)
    }

    /// Everything that it logged until now. Lines are written in blocks, so a request of our
    /// own is waited for, whose line comes after those of all that ended before.
    ///
    /// # Errors
    /// If it does not answer, or logs no requests.
    pub async fn log(&self) -> Result<Vec<String>> {
        let number = self.markers.fetch_add(1, Ordering::Relaxed);
        let marker = format!("{MARKER}{number}/");
        self.get(&marker).fetch().await?;
        self.line(&marker).await?;
        Ok(self.seen_log())
    }

    /// What was seen of its log: all of it when it has ended.
    #[must_use]
    pub fn seen_log(&self) -> Vec<String> {
        self.process.log()
    }

    /// The requests that its access log tells of.
    ///
    /// # Errors
    /// As `log`.
    pub async fn accesses(&self) -> Result<Vec<Access>> {
        let log = self.log().await?;
        let requests = log.iter().filter_map(|line| Access::parse(line));
        Ok(requests
            .filter(|request| !request.path.starts_with(MARKER))
            .collect())
    }

    /// Waits for a line of its log.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn line(&self, needle: &str) -> Result<String> {
        self.process.line(needle).await
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.process.terminate();
    }

    /// How it ended.
    ///
    /// # Errors
    /// If it still runs after `bound`.
    pub async fn ended(&self, bound: Duration) -> Result<ExitStatus> {
        self.process.ended(bound).await
    }
}

/// A folder with a configuration, and where an empty store is to be in it.
fn folder(config: &Config) -> Result<(TempDir, PathBuf)> {
    let folder = tempfile::Builder::new().prefix("ledge-store-").tempdir()?;
    fs::write(folder.path().join(CONFIG), config.text())?;
    let store = folder.path().join("store");
    Ok((folder, store))
}

/// `ledge serve` on a free port. Settings of the caller's environment do not reach it.
///
/// # Errors
/// If there is no binary.
pub fn command(config: &Path, store: &Path) -> Result<Command> {
    command_at(ANY, config, store)
}

fn command_at(listen: SocketAddr, config: &Path, store: &Path) -> Result<Command> {
    let mut command = program()?;
    // However full the machine's disk is; tests of that say their own.
    command.env("LEDGE_STORE_MIN_FREE", "0");
    command.args(["serve", "--listen", &listen.to_string()]);
    command
        .arg("--config")
        .arg(config)
        .arg("--store")
        .arg(store);
    Ok(command)
}

/// The address in the line of the log that says it.
pub(crate) fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on http://")?;
    // Colours and quotes may follow.
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || "[].:".contains(c)))
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_address_is_read_out_of_the_log_line() {
        let line = "2026-01-01T00:00:00Z  INFO ledge: listening on http://127.0.0.1:4711\u{1b}[0m";
        assert_eq!(super::address(line), "127.0.0.1:4711".parse().ok());
        assert_eq!(
            super::address("listening on http://[::1]:80/"),
            "[::1]:80".parse().ok()
        );
        assert_eq!(super::address("nothing"), None);
    }
}
