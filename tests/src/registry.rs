//! A real origin: Debian's `docker-registry` (distribution 2.8).

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::files;
use crate::images::Image;
use crate::process::Process;
use crate::push::Target;

/// The user that a registry with passwords knows.
pub const USER: &str = "puller";
/// The user's password.
pub const PASSWORD: &str = "s3cret-for-tests";
/// The same as `htpasswd -B` writes it.
const HTPASSWD: &str = "puller:$2b$04$qf5ettjVObA5b2FNrt4tAOeMiOQJPu0Mbkb1F98NmPCfIwHy8tkH.\n";

/// A running registry with a folder of its own.
#[derive(Debug)]
pub struct Registry {
    // Ended before its folder is removed.
    process: Process,
    folder: TempDir,
    target: Target,
}

/// Who may use a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// `USER` with `PASSWORD`, by Basic authentication.
    Password,
}

impl Registry {
    /// Starts one on a free port, and waits until it listens.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub async fn start(access: Access) -> Result<Self> {
        Self::launch(access, None).await
    }

    /// Starts one that mirrors an upstream, whose passwords it does not know.
    ///
    /// # Errors
    /// As `start`; and if the upstream is not there.
    pub async fn start_mirror(access: Access, upstream: SocketAddr) -> Result<Self> {
        Self::launch(access, Some(upstream)).await
    }

    async fn launch(access: Access, upstream: Option<SocketAddr>) -> Result<Self> {
        let program =
            files::program("docker-registry").context("docker-registry is not installed")?;
        let folder = tempfile::Builder::new()
            .prefix("ledge-registry-")
            .tempdir()?;
        let config = folder.path().join("config.yml");
        fs::write(folder.path().join("htpasswd"), HTPASSWD)?;
        fs::write(&config, configuration(&folder, access, upstream))?;
        let process = Process::spawn(
            "docker-registry",
            Command::new(program).arg("serve").arg(&config),
        )?;
        let line = process.line("listening on 127.0.0.1:").await?;
        let address = address(&line).with_context(|| format!("no address in '{line}'"))?;
        let authorization = (access == Access::Password).then(basic);
        Ok(Self {
            process,
            folder,
            target: Target {
                address,
                authorization,
            },
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.target.address
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.process.id()
    }

    /// The folder of its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Pushes an image.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn push(&self, repository: &str, tag: &str, image: &Image) -> Result<()> {
        self.target.push(repository, tag, image).await
    }
}

/// The Authorization header of `USER`.
#[must_use]
pub fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")))
}

fn configuration(folder: &TempDir, access: Access, upstream: Option<SocketAddr>) -> String {
    let folder = folder.path().display();
    let auth = match access {
        Access::Open => String::new(),
        Access::Password => {
            format!("auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n")
        }
    };
    let proxy = upstream.map_or_else(String::new, |upstream| {
        format!("proxy: {{remoteurl: \"http://{upstream}\"}}\n")
    });
    format!(
        "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: \"127.0.0.1:0\"}}\n{auth}{proxy}"
    )
}

fn address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    rest.split(|byte: char| byte == '"' || byte.is_whitespace())
        .next()?
        .parse()
        .ok()
}
