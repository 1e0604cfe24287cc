//! The Docker engine with `--registry-mirror`: paths as Docker Hub has them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use http::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::containerd::Containerd;
use super::{Stored, User, closed, require};
use crate::http::{Answer, Request};
use crate::images::Image;
use crate::process::Process;

/// A Docker engine with no network, no bridge and no firewall rules.
#[derive(Debug)]
pub struct Docker {
    // Ended before what it runs on.
    process: Process,
    _containerd: Containerd,
    folder: TempDir,
}

impl Docker {
    /// Starts one that pulls through the mirror at `mirror`. `None` if it is
    /// not installed, or this is not root.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(mirror: SocketAddr) -> Result<Option<Self>> {
        let Some(program) =
            require(&["dockerd"], User::Root).and_then(|programs| programs.into_iter().next())
        else {
            return Ok(None);
        };
        let Some(containerd) = Containerd::start().await? else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("ledge-docker-").tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let mut command = Command::new(program);
        command
            .envs(closed())
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"));
        command
            .arg("--pidfile")
            .arg(path("pid"))
            .arg("--containerd")
            .arg(containerd.socket());
        command
            .arg("--host")
            .arg(format!("unix://{}", path("docker.sock").display()));
        command.args([
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
            "--storage-driver=vfs",
        ]);
        command
            .arg(format!("--registry-mirror=http://{mirror}"))
            .arg(format!("--insecure-registry={mirror}"));
        let process = Process::spawn("dockerd", &mut command)?;
        process.line("API listen on").await?;
        Ok(Some(Self {
            process,
            _containerd: containerd,
            folder,
        }))
    }

    /// Pulls `image` (`library/x`) at `reference` (a tag or a digest), and
    /// removes it again; the digests of manifest and configuration, and of the
    /// unpacked layers, which are all that this engine keeps.
    ///
    /// # Errors
    /// If it fails.
    pub async fn pull(&self, image: &str, reference: &str) -> Result<Stored> {
        let pulled = self
            .call(
                Method::POST,
                &format!("/images/create?fromImage={image}&tag={reference}"),
            )
            .await?;
        ensure!(
            !pulled.text().contains("\"error\""),
            "docker pull: {}",
            pulled.text()
        );
        let separator = if reference.contains(':') { '@' } else { ':' };
        let name = format!("{image}{separator}{reference}");
        let inspected = self
            .call(Method::GET, &format!("/images/{name}/json"))
            .await?
            .json()?;
        self.call(Method::DELETE, &format!("/images/{name}?force=true"))
            .await?;
        stored(&inspected)
    }

    /// What `pull` is to return.
    #[must_use]
    pub fn expects(image: &Image) -> Stored {
        image
            .diff_ids
            .iter()
            .cloned()
            .chain([image.config(), image.root().digest.clone()])
            .collect()
    }

    async fn call(&self, method: Method, path: &str) -> Result<Answer> {
        let socket: PathBuf = self.folder.path().join("docker.sock");
        let answer = Request::unix(method, socket, path).fetch().await?;
        ensure!(
            answer.status == 200,
            "docker {path}: {} {}",
            answer.status,
            answer.text()
        );
        Ok(answer)
    }
}

impl Drop for Docker {
    /// The engine mounts its data root on itself, and a kill leaves the mount.
    fn drop(&mut self) {
        self.process.kill();
        // Where there is no mount there is nothing to take back.
        let _ = Command::new("umount")
            .arg(self.folder.path().join("data"))
            .stderr(Stdio::null())
            .status();
    }
}

fn stored(inspected: &Value) -> Result<Stored> {
    let layers = inspected["RootFS"]["Layers"]
        .as_array()
        .context("no layers")?;
    let names = inspected["RepoDigests"].as_array().context("no digests")?;
    let manifests = names
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|name| name.split_once('@'));
    let own = inspected["Id"].as_str().map(str::to_owned);
    let layers = layers.iter().filter_map(Value::as_str).map(str::to_owned);
    Ok(layers
        .chain(manifests.map(|(_, digest)| digest.to_owned()))
        .chain(own)
        .collect())
}
