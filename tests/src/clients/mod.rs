//! Drivers for the clients that people pull with. Each has its own folders and
//! sockets, and is told of no other host than the one it is to pull from.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::files;

pub mod containerd;
pub mod docker;
pub mod podman;
pub mod skopeo;

/// How long one pull may take on two busy cores.
const BOUND: Duration = Duration::from_secs(90);

/// Digests of what a client has stored after a pull.
pub type Stored = BTreeSet<String>;

/// The paths of these programs; `None`, and a line in the output, if one of
/// them is missing or needs another user.
///
/// # Panics
/// With `CI=true`, where nothing may be missing.
#[must_use]
pub fn require(programs: &[&str], needs: User) -> Option<Vec<PathBuf>> {
    if needs == User::Root && !is_root() {
        skip(&format!("{} runs as root only", programs.join(" ")));
        return None;
    }
    let missing = programs.iter().find(|name| files::program(name).is_none());
    if let Some(name) = missing {
        skip(&format!("{name} is not installed"));
        return None;
    }
    programs.iter().map(|name| files::program(name)).collect()
}

/// Who must run a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// Anybody.
    Any,
    /// Root.
    Root,
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "in CI no client may be missing: {why}"
    );
    say_skipped(why);
}

/// Past the test runner's capture, so that the summary can name it.
pub(crate) fn say_skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// A command that reaches no host but this one: whatever it would send
/// elsewhere goes to a proxy that does not exist.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .envs(closed())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The environment of such a command.
fn closed() -> [(&'static str, &'static str); 3] {
    let nowhere = "http://127.0.0.1:1";
    [
        ("HTTP_PROXY", nowhere),
        ("HTTPS_PROXY", nowhere),
        ("NO_PROXY", "127.0.0.1,localhost"),
    ]
}

/// Runs a command to its end.
async fn run(command: &mut Command) -> Result<String> {
    let output = tokio::time::timeout(BOUND, command.output())
        .await
        .with_context(|| format!("still running after {BOUND:?}: {:?}", command.as_std()))?
        .with_context(|| format!("starting {:?}", command.as_std()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("{:?}: {}\n{text}{why}", command.as_std(), output.status);
    }
    Ok(text)
}

/// The digests of all files of a folder whose names promise a digest.
fn hashed(folder: &Path) -> Result<Stored> {
    let mut stored = Stored::new();
    for path in files::under(folder) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.len() != 64 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            continue;
        }
        let digest = files::digest(&path)?;
        if digest != format!("sha256:{name}") {
            bail!("{} has the digest {digest}", path.display());
        }
        stored.insert(digest);
    }
    Ok(stored)
}

/// A file of this content.
fn write(path: &Path, content: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}
