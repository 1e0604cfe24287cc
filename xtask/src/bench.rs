//! `cargo xtask bench`: how fast, beside others.

use anyhow::Result;

use crate::build;
use crate::clients::{self, CURL, DOCKER_REGISTRY, H2LOAD, NGINX, WRK};
use crate::component;
use crate::exec;
use crate::spin::{self, HOST, Hosted};
use crate::workspace::Workspace;

/// The suite that has clients of its own.
const SERVE: &str = "serve";

/// The case that needs what is deployed to Spin, and a host for it.
const SPIN: &str = "spin";

/// The component that only this case runs: it shows how fast a guest hashes.
const HASHING: (&str, &str) = ("ledge-hashing-guest", "LEDGE_HASHING_COMPILED");

pub(crate) fn bench(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    clients::required(workspace, &[WRK, DOCKER_REGISTRY, NGINX])?;
    if arguments.iter().any(|argument| argument == SERVE) {
        clients::required(workspace, &[CURL, H2LOAD])?;
    }
    let built = build::build(workspace, &["ledge-bench"])?;
    let mut bench = exec::program(workspace.binary("ledge-bench"));
    built.tell(&mut bench);
    if arguments.iter().any(|argument| argument == SPIN) {
        exec::check(build::cargo_build(workspace).args(["--bin", HOST]))?;
        Hosted::new(workspace, &built)?.tell(&mut bench);
        let (package, variable) = HASHING;
        let guest = component::build(workspace, built.toolchain, package)?;
        bench.env(variable, spin::compiled(workspace, &guest)?);
    }
    exec::become_program(bench.args(arguments))
}
