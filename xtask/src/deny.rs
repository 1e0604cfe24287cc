//! `cargo deny`, which reads `deny.toml`.

use std::path::PathBuf;

use anyhow::Result;

use crate::exec;
use crate::progress::Step;
use crate::workspace::Workspace;

/// The newest release; it needs Rust 1.88.
const VERSION: &str = "cargo-deny@0.20.2";

/// Checks everything that needs no network. Advisories live in a repository that has to be fetched: run
/// `cargo deny check advisories` where that can be done.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let program = ensure(workspace)?;
    let step = Step::begin("licences, bans, duplicate versions and sources");
    exec::check(exec::program(program).current_dir(workspace.root()).args([
        "--all-features",
        "--locked",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))?;
    step.done();
    Ok(())
}

/// The one in `PATH`, or our own, compiled once.
fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    let own = workspace.tools().join("bin/cargo-deny");
    if let Some(found) = exec::find("cargo-deny").or_else(|| own.is_file().then(|| own.clone())) {
        return Ok(found);
    }
    let step = Step::begin(format!("installing {VERSION} (once; this takes minutes)"));
    exec::check(
        exec::cargo()
            .args(["install", "--quiet", "--locked", VERSION, "--root"])
            .arg(workspace.tools())
            .arg("--target-dir")
            .arg(workspace.tools().join("build")),
    )?;
    step.done();
    Ok(own)
}
