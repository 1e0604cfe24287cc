//! The same mirror on the host that is like Spin: the deployable component, with its objects in a bucket.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::ledge;
use crate::s3::{BUCKET, KEY, S3, SECRET};
use crate::webdav::WebDav;

/// What of the host's command line a test decides.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Ledge's own configuration.
    pub(crate) config: &'a Path,
    /// A folder that is the mirror's own.
    pub(crate) state: &'a Path,
    /// Environment variables that its configuration may mean.
    pub(crate) environment: &'a [(&'a str, OsString)],
    /// Where its objects are, unless its configuration names a bucket.
    pub(crate) place: &'a Place,
}

/// Where the deployable component keeps objects.
#[derive(Debug)]
pub struct Place {
    endpoint: String,
    /// What `ledge_blobs` says of it.
    store: Value,
}

impl Place {
    /// The bucket of a server.
    #[must_use]
    pub fn bucket(server: &S3) -> Self {
        let endpoint = server.endpoint();
        let store = json!({
            "kind": "s3", "endpoint": endpoint, "region": "us-east-1", "bucket": BUCKET,
        });
        Self { endpoint, store }
    }

    /// A server's folder.
    #[must_use]
    pub fn folder(server: &WebDav) -> Self {
        let endpoint = server.endpoint();
        let store = json!({ "kind": "http", "url": endpoint });
        Self { endpoint, store }
    }
}

/// Whether mirrors are started there: `LEDGE_HOST=spin`.
///
/// # Errors
/// If the variable says something else.
pub fn is_meant() -> Result<bool> {
    match std::env::var("LEDGE_HOST").as_deref() {
        Err(_) | Ok("ledge") => Ok(false),
        Ok("spin") => Ok(true),
        Ok(other) => bail!("LEDGE_HOST is ledge or spin, not {other}"),
    }
}

/// The host's program: `LEDGE_SPIN_HOST`, else the release build beside this one.
///
/// # Errors
/// If there is none.
pub fn host() -> Result<PathBuf> {
    ledge::built("LEDGE_SPIN_HOST", "ledge-spin-host")
}

/// The top of the clone, with `spin.toml`.
///
/// # Errors
/// If this package is nowhere in it.
pub fn top() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here
        .parent()
        .context("the tests' folder has a parent")?
        .to_owned())
}

/// The host, as somebody starts it who has this configuration.
pub(crate) fn command(start: &Start<'_>) -> Result<Command> {
    fs::create_dir_all(start.state)?;
    let file = start.state.join("variables.json");
    fs::write(&file, serde_json::to_vec(&variables(start)?)?)?;
    let compiled = std::env::var_os("LEDGE_SPIN_COMPILED");
    let compiled = compiled.context("run `cargo xtask test --host spin`")?;
    let top = top()?;
    let mut command = Command::new(host()?);
    command.arg("up").arg("--from").arg(top.join("spin.toml"));
    command
        .arg("--runtime-config-file")
        .arg(top.join("examples/spin/runtime-config.sqlite.toml"))
        .arg("--compiled")
        .arg(compiled)
        .args(["--listen", &start.listen.to_string()])
        .arg("--variable")
        .arg(format!("@{}", file.display()))
        .arg("--state-dir")
        .arg(start.state.join("key-value"));
    Ok(command)
}

/// The configuration as variables, and the place of this test unless it names one.
fn variables(start: &Start<'_>) -> Result<Map<String, Value>> {
    let mut told = ledge::program()?;
    told.args(["config", "spin", "--with-secrets", "--config"])
        .arg(start.config)
        .arg("--store")
        .arg(start.state)
        .envs(start.environment.iter().cloned());
    let output = told.output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut variables: Map<String, Value> = serde_json::from_slice(&output.stdout)?;
    if !variables.contains_key("ledge_blobs") {
        let Place { endpoint, store } = start.place;
        for (name, value) in [
            ("ledge_blobs", json!({ "store": store }).to_string()),
            ("ledge_host_blobs", endpoint.clone()),
            ("ledge_blobs_key", KEY.to_owned()),
            ("ledge_blobs_secret", SECRET.to_owned()),
        ] {
            variables.insert(name.to_owned(), Value::String(value));
        }
    }
    Ok(variables)
}
