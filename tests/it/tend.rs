//! The commands over the store, beside a mirror that serves and without one.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ledge_tests::config::Config;
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::{self, Ledge};
use ledge_tests::origin::Origin;
use serde_json::Value;
use tokio::process::Command;

use crate::site::hit;

mod alone;
mod fsck;
mod killed;
mod ls;
mod moved;
mod purge;
mod shared;

/// How long a mirror that has nothing to do takes to end.
const END: Duration = Duration::from_secs(30);

/// An origin, a mirror, and an image that was pulled through it.
pub(crate) struct Site {
    pub(crate) origin: Origin,
    pub(crate) ledge: Ledge,
    pub(crate) image: Image,
}

impl Site {
    pub(crate) async fn pulled(seed: u64) -> Result<Self> {
        let origin = Origin::start().await?;
        let config = Config::docker(origin.address());
        Self::with(seed, origin, &config).await
    }

    /// The same with another configuration.
    pub(crate) async fn with(seed: u64, origin: Origin, config: &Config) -> Result<Self> {
        let image = images::layered(seed, &[300_000, 2_000_000])?;
        origin.put("team/app", "v1", &image);
        let ledge = Ledge::start(config).await?;
        let site = Self {
            origin,
            ledge,
            image,
        };
        site.pull().await?;
        Ok(site)
    }

    /// Pulls the image, looks at every byte, and waits until all is stored.
    pub(crate) async fn pull(&self) -> Result<()> {
        let root = self.image.root();
        let path = format!("/v2/team/app/manifests/{}", root.digest);
        for (path, bytes) in [
            ("/v2/team/app/manifests/v1", &root.bytes),
            (&path, &root.bytes),
        ] {
            ensure!(self.ledge.get(path).fetch().await?.body == *bytes, "{path}");
        }
        for blob in &self.image.blobs {
            let got = self.ledge.get(&path_of(&blob.digest)).fetch().await?;
            ensure!(got.body == blob.bytes, "{}", blob.digest);
            hit(&self.ledge, &path_of(&blob.digest)).await?;
        }
        Ok(())
    }

    /// Runs a command for the mirror's store.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<Output> {
        run(&self.ledge.store(), Some(&self.ledge.config()), arguments).await
    }

    /// Ends the mirror well.
    pub(crate) async fn end(&self) -> Result<()> {
        self.ledge.terminate();
        self.ledge.ended(END).await.map(drop)
    }

    /// The file of an object.
    pub(crate) fn file(&self, digest: &str) -> Result<PathBuf> {
        let hex = digest.strip_prefix("sha256:").context("a digest")?;
        let shard = self.ledge.store().join("blobs/sha256").join(&hex[..2]);
        Ok(shard.join(hex))
    }
}

pub(crate) fn path_of(digest: &str) -> String {
    format!("/v2/team/app/blobs/{digest}")
}

pub(crate) async fn run(store: &Path, config: Option<&Path>, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(ledge::binary()?);
    command.env("LEDGE_STORE_MIN_FREE", "0").kill_on_drop(true);
    command.stdin(std::process::Stdio::null());
    command.args(arguments).arg("--store").arg(store);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.output().await.context("running ledge")
}

/// The lines of JSON that a run with this exit code printed.
pub(crate) fn lines(output: &Output, code: i32) -> Result<Vec<Value>> {
    said(output, code)?
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}

/// What a run with this exit code printed.
pub(crate) fn said(output: &Output, code: i32) -> Result<String> {
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code),
        "{}: {error}",
        output.status
    );
    Ok(String::from_utf8(output.stdout.clone())?)
}
