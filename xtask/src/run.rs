//! `cargo xtask run`: from a clean clone to a mirror that listens.

use anyhow::Result;

use crate::build;
use crate::exec;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let built = build::build(workspace, &[])?;
    exec::become_program(exec::program(&built.ledge).arg("serve").args(arguments))
}
