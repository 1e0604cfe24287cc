//! containerd with `ctr`, and a `hosts.toml` mirror: `ns=` is in every query.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use super::{Stored, User, closed, command, hashed, require, run, write};
use crate::images::Image;
use crate::process::Process;

/// A containerd of its own.
#[derive(Debug)]
pub struct Containerd {
    // Ended before its folder is removed.
    _process: Process,
    folder: TempDir,
    ctr: PathBuf,
    user: Option<String>,
}

impl Containerd {
    /// Starts one. `None` if it is not installed, or this is not root.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start() -> Result<Option<Self>> {
        let Some(programs) = require(&["containerd", "ctr"], User::Root) else {
            return Ok(None);
        };
        let [containerd, ctr] = programs.try_into().ok().context("two programs")?;
        let folder = tempfile::Builder::new()
            .prefix("ledge-containerd-")
            .tempdir()?;
        let config = folder.path().join("config.toml");
        write(&config, &configuration(folder.path()))?;
        let mut command = std::process::Command::new(containerd);
        let process = Process::spawn(
            "containerd",
            command.envs(closed()).arg("--config").arg(&config),
        )?;
        process.line("containerd successfully booted").await?;
        Ok(Some(Self {
            _process: process,
            folder,
            ctr,
            user: None,
        }))
    }

    /// The same as somebody: `name:password`.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// From now on `docker.io` comes from the mirror at `mirror` and from nowhere else.
    ///
    /// # Errors
    /// If its file cannot be written.
    pub fn mirror(&self, mirror: SocketAddr) -> Result<()> {
        let hosts = format!(
            "server = \"http://127.0.0.1:1\"\n[host.\"http://{mirror}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
        );
        write(
            &self.folder.path().join("hosts/docker.io/hosts.toml"),
            &hosts,
        )
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("containerd.sock")
    }

    /// Pulls for Linux/amd64, and forgets the image again; the digests of what
    /// it had stored.
    ///
    /// # Errors
    /// If it fails, or stores bytes under a wrong digest.
    pub async fn pull(&self, image: &str) -> Result<Stored> {
        let mut pull = self.ctr();
        pull.args([
            "images",
            "pull",
            "--snapshotter",
            "native",
            "--platform",
            "linux/amd64",
        ]);
        if let Some(user) = &self.user {
            pull.args(["--user", user]);
        }
        pull.arg("--hosts-dir");
        run(pull.arg(self.folder.path().join("hosts")).arg(image)).await?;
        let stored = self.stored()?;
        run(self.ctr().args(["images", "rm", "--sync", image])).await?;
        let left = self.stored()?;
        ensure!(left.is_empty(), "containerd kept {left:?}");
        Ok(stored)
    }

    /// What `pull` is to return.
    #[must_use]
    pub fn expects(image: &Image) -> Stored {
        let manifests = [image.platform().digest.clone(), image.root().digest.clone()];
        image
            .layers()
            .into_iter()
            .chain([image.config()])
            .chain(manifests)
            .collect()
    }

    fn stored(&self) -> Result<Stored> {
        hashed(
            &self
                .folder
                .path()
                .join("root/io.containerd.content.v1.content/blobs"),
        )
    }

    fn ctr(&self) -> Command {
        let mut ctr = command(&self.ctr);
        ctr.arg("--address")
            .arg(self.socket())
            .args(["--namespace", "ledge-tests"]);
        ctr
    }
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "version = 2\nroot = \"{folder}/root\"\nstate = \"{folder}/state\"\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = \"{folder}/containerd.sock\"\n"
    )
}
