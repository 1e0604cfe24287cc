//! `cargo xtask lint`: what a reviewer should not have to say.

use anyhow::Result;

use crate::build;
use crate::deny;
use crate::exec;
use crate::files;
use crate::progress::Step;
use crate::workspace::Workspace;

pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    let step = Step::begin("formatting");
    exec::check(
        exec::cargo()
            .current_dir(workspace.root())
            .args(["fmt", "--all", "--check"]),
    )?;
    step.done();
    clippy(workspace)?;
    deny::check(workspace)
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let step = Step::begin("clippy");
    // Clippy reads the embedding code too, and needs the file to exist but not what is in it.
    let embedded = workspace.components().join("lint.cwasm");
    files::write_if_changed(&embedded, b"")?;
    let mut cargo = build::host_cargo(workspace, "clippy");
    exec::check(cargo.env("LEDGE_EMBED", embedded).args([
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    step.done();
    Ok(())
}
