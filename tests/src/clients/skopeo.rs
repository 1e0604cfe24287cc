//! Skopeo, with a hand-typed reference: the upstream's name is in the path.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use tempfile::TempDir;

use super::{Stored, User, command, hashed, require, run, write};
use crate::files;
use crate::images::Image;

/// Skopeo. It keeps nothing from one copy to the next.
#[derive(Debug)]
pub struct Skopeo {
    program: PathBuf,
    folder: TempDir,
    user: Option<String>,
}

impl Skopeo {
    /// `None` if it is not installed.
    ///
    /// # Errors
    /// If there is no temporary folder to be had.
    pub fn start() -> Result<Option<Self>> {
        let Some(program) =
            require(&["skopeo"], User::Any).and_then(|programs| programs.into_iter().next())
        else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("ledge-skopeo-").tempdir()?;
        write(
            &folder.path().join("registries.conf"),
            "unqualified-search-registries = []\n",
        )?;
        write(&folder.path().join("auth.json"), "{}\n")?;
        Ok(Some(Self {
            program,
            folder,
            user: None,
        }))
    }

    /// The same as somebody: `name:password`.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Copies `image` (`docker.io/library/x:v1`) from the registry or mirror at
    /// `from` into an empty folder; the digests of what is there then.
    ///
    /// # Errors
    /// If it fails, or stores bytes under a wrong digest.
    pub async fn pull(&self, from: SocketAddr, image: &str) -> Result<Stored> {
        let target = self.folder.path().join("image");
        self.copy(from, image, &format!("dir:{}", target.display()))
            .await?;
        let mut stored = hashed(&target)?;
        stored.insert(files::digest(&target.join("manifest.json"))?);
        std::fs::remove_dir_all(target)?;
        Ok(stored)
    }

    /// Copies `image` from the registry or mirror at `from` to anything that Skopeo writes.
    ///
    /// # Errors
    /// If it fails.
    pub async fn copy(&self, from: SocketAddr, image: &str, target: &str) -> Result<()> {
        let mut copy = command(&self.program);
        copy.env(
            "CONTAINERS_REGISTRIES_CONF",
            self.folder.path().join("registries.conf"),
        );
        copy.args([
            "--insecure-policy",
            "--override-os",
            "linux",
            "--override-arch",
            "amd64",
            "copy",
        ]);
        copy.arg("--src-tls-verify=false");
        match &self.user {
            Some(user) => copy.args(["--src-creds", user]),
            None => copy.arg("--src-no-creds"),
        };
        copy.arg(format!("docker://{from}/{image}"));
        run(copy.arg(target)).await.map(drop)
    }

    /// What `pull` is to return.
    #[must_use]
    pub fn expects(image: &Image) -> Stored {
        image
            .layers()
            .into_iter()
            .chain([image.config(), image.platform().digest.clone()])
            .collect()
    }
}
