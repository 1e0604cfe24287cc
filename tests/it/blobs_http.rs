//! The data plane over HTTP: the deployable component on the host that is like Spin, its objects in a bucket or behind
//! an HTTP server.

mod bucket;
mod limits;
mod webdav;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ledge_tests::http::{self, Request};
use ledge_tests::images::{Image, Object};
use ledge_tests::origin::Origin;
use ledge_tests::process::Process;
use ledge_tests::s3::{BUCKET, KEY, S3, SECRET};
use ledge_tests::spin;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::imports::component;
use crate::site::{REPOSITORY, blob, is, manifest};

/// The smallest parts that S3 takes: an object of a few megabytes has several.
const PART: usize = 5 << 20;

/// A scripted origin, a bucket, and the component between them.
struct Site {
    origin: Origin,
    s3: S3,
    spin: Spin,
}

/// The component on its host.
struct Spin {
    process: Process,
    address: SocketAddr,
    // Removed when it has ended.
    _folder: TempDir,
}

impl Site {
    /// The origin has this image as `library/app:v1`.
    async fn start(image: &Image) -> Result<Self> {
        Self::with(image, json!({}), &[]).await
    }

    /// With settings over the usual ones, and flags of the host.
    async fn with(image: &Image, settings: Value, flags: &[&str]) -> Result<Self> {
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", image);
        let s3 = S3::start().await?;
        let mut told = in_bucket(&s3);
        for (name, value) in settings.as_object().context("an object")? {
            told[name] = value.clone();
        }
        let spin = Spin::start(&[origin.address()], &s3.endpoint(), &told, flags).await?;
        Ok(Self { origin, s3, spin })
    }

    /// The keys of the objects in the bucket, by their digests' digits.
    fn stored(&self) -> Result<Vec<String>> {
        let files = self.s3.files()?;
        let objects = files
            .iter()
            .filter_map(|path| path.strip_prefix(self.s3.bucket()).ok());
        Ok(objects.map(|path| path.display().to_string()).collect())
    }

    /// What unfinished uploads left.
    fn leftovers(&self) -> Result<Vec<PathBuf>> {
        let mut files = self.s3.files()?;
        files.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(".upload") || name.starts_with(".tmp")
        });
        Ok(files)
    }

    fn has(&self, object: &Object) -> Result<bool> {
        Ok(self.stored()?.contains(&key(object)))
    }
}

/// Where an object is: as the other host names it in its store and in buckets.
fn key(object: &Object) -> String {
    let hex = &object.digest["sha256:".len()..];
    format!("blobs/sha256/{}/{hex}", &hex[..2])
}

/// The settings of objects in a bucket.
fn in_bucket(s3: &S3) -> Value {
    json!({ "store": {
        "kind": "s3", "endpoint": s3.endpoint(), "region": "us-east-1", "bucket": BUCKET, "part_bytes": PART,
    } })
}

impl Spin {
    /// Starts it in front of origins: docker.io is all of them, in this order.
    async fn start(
        origins: &[SocketAddr],
        store: &str,
        settings: &Value,
        flags: &[&str],
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ledge-spin-").tempdir()?;
        let mut command = Self::command(folder.path(), origins, store, settings).await?;
        command.args(flags);
        let process = Process::spawn("spin", &mut command)?;
        let line = process.line("listening on http://").await?;
        let (_, address) = line.split_once("http://").context("an address")?;
        let address = address.parse()?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    async fn command(
        folder: &Path,
        origins: &[SocketAddr],
        store: &str,
        settings: &Value,
    ) -> Result<Command> {
        let urls: Vec<_> = origins
            .iter()
            .map(|origin| format!("http://{origin}"))
            .collect();
        let registry = json!({ "default_upstream": "docker.io", "upstreams": [
            { "name": "docker.io", "endpoints": urls },
        ] });
        let mut variables = json!({
            "ledge_registry": registry.to_string(), "ledge_blobs": settings.to_string(),
            "ledge_blobs_key": KEY, "ledge_blobs_secret": SECRET, "ledge_host_blobs": store,
        });
        for (number, url) in (1..).zip(urls) {
            variables[format!("ledge_host_{number}")] = url.into();
        }
        let file = folder.join("variables.json");
        fs::write(&file, variables.to_string())?;
        let top = spin::top()?;
        let mut command = Command::new(spin::host()?);
        command
            .args(["up", "--listen", "127.0.0.1:0", "--from"])
            .arg(top.join("spin.toml"))
            .arg("--runtime-config-file")
            .arg(top.join("examples/spin/runtime-config.sqlite.toml"))
            .arg("--compiled")
            .arg(compiled().await?)
            .arg("--variable")
            .arg(format!("@{}", file.display()))
            .arg("--state-dir")
            .arg(folder.join("key-value"));
        Ok(command)
    }

    fn get(&self, path: &str) -> Request {
        http::get(self.address, path)
    }

    fn head(&self, path: &str) -> Request {
        http::head(self.address, path)
    }

    /// A range of a blob, still to be asked for.
    fn range(&self, object: &Object, range: &str) -> Request {
        self.get(&blob(&object.digest)).header("range", range)
    }

    /// The manifest and all blobs, byte for byte.
    async fn pull(&self, image: &Image) -> Result<()> {
        let pulled = self.fetch(image).await;
        pulled.with_context(|| self.process.log().join("\n"))
    }

    async fn fetch(&self, image: &Image) -> Result<()> {
        is(&self.get(&manifest("v1")).fetch().await?, image.root())?;
        for object in &image.blobs {
            is(&self.get(&blob(&object.digest)).fetch().await?, object)?;
        }
        Ok(())
    }

    /// The most linear memory that an instance had, in bytes.
    fn memory(&self) -> Result<usize> {
        let log = self.process.log();
        let line = log
            .iter()
            .rev()
            .find(|line| line.starts_with("memory: at most "));
        let number = line
            .and_then(|line| line.split(' ').nth(3))
            .context("no memory")?;
        Ok(number.parse()?)
    }
}

/// The deployable component, compiled for the host: as `cargo xtask test` has it, or once for all
/// tests.
async fn compiled() -> Result<PathBuf> {
    static COMPILED: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
    if let Some(path) = std::env::var_os("LEDGE_SPIN_COMPILED") {
        return Ok(path.into());
    }
    let compile = async || {
        let folder = tempfile::Builder::new().prefix("ledge-spin-").tempdir()?;
        let file = folder.path().join("ledge.cwasm");
        let mut command = Command::new(spin::host()?);
        command
            .arg("compile")
            .arg(component("LEDGE_SPIN_WASM", "ledge_spin.wasm")?);
        let output = command.arg(&file).output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        anyhow::Ok((folder, file))
    };
    let (_, file) = COMPILED.get_or_try_init(compile).await?;
    Ok(file.clone())
}
