//! Podman, with a mirror whose location ends in the upstream's name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Stored, User, command, require, run, write};
use crate::images::Image;

/// Podman with its configuration.
#[derive(Debug)]
pub struct Podman {
    program: PathBuf,
    folder: TempDir,
}

impl Podman {
    /// Podman that pulls `docker.io` from `location` (`127.0.0.1:5000/docker.io`)
    /// and nowhere else. `None` if it is not installed.
    ///
    /// # Errors
    /// If its files cannot be written.
    pub fn start(location: &str) -> Result<Option<Self>> {
        let Some(program) =
            require(&["podman"], User::Any).and_then(|programs| programs.into_iter().next())
        else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("ledge-podman-").tempdir()?;
        let registries = format!(
            "unqualified-search-registries = []\n[[registry]]\nprefix = \"docker.io\"\nlocation = \"127.0.0.1:1\"\n\
             insecure = true\n[[registry.mirror]]\nlocation = \"{location}\"\ninsecure = true\n"
        );
        write(&folder.path().join("registries.conf"), &registries)?;
        write(
            &folder.path().join("policy.json"),
            r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
        )?;
        write(&folder.path().join("auth.json"), "{}\n")?;
        Ok(Some(Self { program, folder }))
    }

    /// Is somebody, `name:password`, to the registry at `host`.
    ///
    /// # Errors
    /// If its file cannot be written.
    pub fn log_in(&self, host: SocketAddr, user: &str) -> Result<()> {
        let auth = STANDARD.encode(user);
        let known = serde_json::json!({ "auths": { host.to_string(): { "auth": auth } } });
        write(&self.folder.path().join("auth.json"), &known.to_string())
    }

    /// Pulls into empty storage; the digests of what is there then: manifest,
    /// configuration, and the layers as they travelled.
    ///
    /// # Errors
    /// If it fails.
    pub async fn pull(&self, image: &str) -> Result<Stored> {
        let storage = tempfile::Builder::new()
            .prefix("storage-")
            .tempdir_in(self.folder.path())?;
        let mut pull = self.command(storage.path());
        pull.args(["pull", "--quiet", "--signature-policy"])
            .arg(self.folder.path().join("policy.json"));
        run(pull.args(["--os", "linux", "--arch", "amd64"]).arg(image)).await?;
        let inspected = run(self
            .command(storage.path())
            .args(["image", "inspect", image]))
        .await?;
        let mut stored = layers(&storage.path().join("root/vfs-layers/layers.json"))?;
        stored.extend(identity(&serde_json::from_str(&inspected)?));
        Ok(stored)
    }

    /// What `pull` is to return. Podman keeps the index, where there is one, as
    /// a second digest of the image.
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

    fn command(&self, storage: &Path) -> Command {
        let mut podman = command(&self.program);
        podman.env(
            "CONTAINERS_REGISTRIES_CONF",
            self.folder.path().join("registries.conf"),
        );
        podman.env("REGISTRY_AUTH_FILE", self.folder.path().join("auth.json"));
        podman
            .arg("--root")
            .arg(storage.join("root"))
            .arg("--runroot")
            .arg(storage.join("run"));
        podman
            .arg("--tmpdir")
            .arg(storage.join("tmp"))
            .args(["--storage-driver", "vfs"]);
        podman
    }
}

/// The digests of the layers before they were unpacked, as Podman noted them.
fn layers(path: &Path) -> Result<Stored> {
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let layers: Vec<Value> = serde_json::from_slice(&text)?;
    Ok(layers
        .iter()
        .filter_map(|layer| layer["compressed-diff-digest"].as_str())
        .map(str::to_owned)
        .collect())
}

/// The image's own digests.
fn identity(inspected: &Value) -> Vec<String> {
    let image = &inspected[0];
    let named = image["RepoDigests"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let manifests = named
        .filter_map(|name| name.split_once('@'))
        .map(|(_, digest)| digest.to_owned());
    let config = image["Id"].as_str().map(|id| format!("sha256:{id}"));
    manifests.chain(config).collect()
}
