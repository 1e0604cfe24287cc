//! `wasmtime serve`, which runs the deployable component too: a host that shares no code with Ledge's but wasmtime.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::exec;
use crate::progress::Step;
use crate::spin::{self, Hosted};
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// The newest of the long-term line that Ledge's own host is built with.
const VERSION: &str = "wasmtime-cli@48.0.8";

/// How `wasmtime --version` begins for releases of that line.
const LINE: &str = "wasmtime 48.0.";

/// What serving a WASI 0.3 component takes of it. `run` has the options that all commands share, and does not build
/// without the others' runtime.
const FEATURES: &str =
    "run,serve,compile,component-model-async,parallel-compilation,pooling-allocator";

/// The tests that are about it.
pub(crate) const MODULE: &str = "serve::";

/// Wasmtime, and the deployable component with what it needs there.
#[derive(Debug)]
pub(crate) struct Served {
    wasmtime: PathBuf,
    component: PathBuf,
    /// What wasmtime has compiled of it.
    compiled: PathBuf,
}

impl Served {
    /// Composes and compiles it.
    pub(crate) fn new(
        workspace: &Workspace,
        toolchain: Toolchain,
        hosted: &Hosted,
        wasmtime: PathBuf,
    ) -> Result<Self> {
        let component = spin::over_wasi(workspace, toolchain, hosted.deployable())?;
        let compiled = component.with_extension("cwasm");
        let mut compiler = exec::program(&wasmtime);
        compiler.args(["compile", "--output"]);
        exec::check(compiler.args([&compiled, &component]))?;
        Ok(Self {
            wasmtime,
            component,
            compiled,
        })
    }

    /// Tells tests where these are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("LEDGE_WASMTIME", &self.wasmtime)
            .env("LEDGE_WASI_WASM", &self.component)
            .env("LEDGE_WASI_COMPILED", &self.compiled);
    }
}

/// The `wasmtime` in `PATH`, or our own, if either is there.
pub(crate) fn found(workspace: &Workspace) -> Option<PathBuf> {
    let is_of_line = |program: &PathBuf| {
        let version = exec::output(exec::program(program).arg("--version"));
        version.is_some_and(|version| version.starts_with(LINE))
    };
    let candidates = [exec::find("wasmtime"), Some(own(workspace))];
    candidates.into_iter().flatten().find(is_of_line)
}

/// The same, compiled once if there is none.
///
/// It is no crate of the workspace: the features that it asks of wasmtime would become those of Ledge's own.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(found) = found(workspace) {
        return Ok(found);
    }
    let step = Step::begin(format!("installing {VERSION} (once; this takes minutes)"));
    let build = workspace.tools().join("build-wasmtime");
    exec::check(
        exec::cargo()
            .args(["install", "--quiet", "--locked", VERSION, "--root"])
            .arg(workspace.tools())
            .args(["--no-default-features", "--features", FEATURES])
            .arg("--target-dir")
            .arg(&build),
    )?;
    // Hundreds of megabytes that nothing reads again.
    fs::remove_dir_all(&build).with_context(|| format!("cannot remove {}", build.display()))?;
    step.done();
    Ok(own(workspace))
}

fn own(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("bin/wasmtime")
}
