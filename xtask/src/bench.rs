//! `cargo xtask bench`: how fast, beside others.

use anyhow::Result;

use crate::build;
use crate::clients::{self, DOCKER_REGISTRY, NGINX, WRK};
use crate::exec;
use crate::workspace::Workspace;

pub(crate) fn bench(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    clients::required(workspace, &[WRK, DOCKER_REGISTRY, NGINX])?;
    let built = build::build(workspace, &["ledge-bench"])?;
    let mut bench = exec::program(workspace.binary("ledge-bench"));
    built.tell(&mut bench);
    exec::become_program(bench.args(arguments))
}
