//! `cargo xtask demo`: the main job, shown.

use anyhow::Result;

use crate::build;
use crate::clients::{self, DOCKER_REGISTRY, SKOPEO, ZSTD};
use crate::exec;
use crate::workspace::Workspace;

pub(crate) fn demo(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    clients::required(workspace, &[DOCKER_REGISTRY, SKOPEO, ZSTD])?;
    let built = build::build(workspace, &["ledge-demo"])?;
    let mut demo = exec::program(workspace.binary("ledge-demo"));
    built.tell(&mut demo);
    exec::become_program(demo.args(arguments))
}
