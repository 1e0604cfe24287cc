//! Building everything that serves: the component, its precompiled form, and the binary that embeds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::component::{self, REGISTRY};
use crate::exec;
use crate::files;
use crate::progress::Step;
use crate::toolchain::{self, Toolchain};
use crate::workspace::Workspace;

/// The program that turns a component into what the runtime loads: `ledge-precompile IN OUT`.
const PRECOMPILER: &str = "ledge-precompile";

/// What a build hands over.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) toolchain: Toolchain,
    /// The `ledge` binary, with the component in it.
    pub(crate) ledge: PathBuf,
    /// The registry component.
    pub(crate) component: PathBuf,
    /// The component as the runtime loads it.
    precompiled: PathBuf,
}

impl Built {
    /// Tells a program of ours where the built things are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("LEDGE_BIN", &self.ledge)
            .env("LEDGE_COMPONENT_WASM", &self.component)
            .env("LEDGE_EMBED", &self.precompiled);
    }
}

/// Sets up, then builds `ledge` and the binaries named.
pub(crate) fn build(workspace: &Workspace, others: &[&str]) -> Result<Built> {
    let toolchain = toolchain::ensure(workspace)?;
    let component = component::build(workspace, toolchain, REGISTRY)?;

    let step = Step::begin(if workspace.binary(PRECOMPILER).exists() {
        "building the precompiler"
    } else {
        "building the precompiler, with the runtime in it: the first time this takes minutes"
    });
    exec::check(cargo_build(workspace).args(["--bin", PRECOMPILER]))?;
    step.done();
    let precompiled = precompile(workspace, &component)?;

    let step = Step::begin("building ledge");
    let mut cargo = cargo_build(workspace);
    cargo
        .env("LEDGE_EMBED", &precompiled)
        .args(["--bin", "ledge"]);
    for binary in others {
        cargo.args(["--bin", binary]);
    }
    exec::check(&mut cargo)?;
    step.done();
    Ok(Built {
        toolchain,
        ledge: workspace.binary("ledge"),
        component,
        precompiled,
    })
}

/// `cargo build` for the host.
pub(crate) fn cargo_build(workspace: &Workspace) -> Command {
    let mut cargo = host_cargo(workspace, "build");
    // There are no examples. Asking for them makes cargo choose the same features as for tests, where
    // dev-dependencies count: otherwise tests would build the runtime a second time.
    cargo.arg("--examples");
    cargo
}

/// Every cargo command for the host selects the whole workspace and the same features, whatever it then builds:
/// features are unified over the selected packages, and so each dependency is compiled once.
pub(crate) fn host_cargo(workspace: &Workspace, subcommand: &str) -> Command {
    let mut cargo = exec::cargo();
    cargo
        .current_dir(workspace.root())
        .args([
            subcommand,
            "--release",
            "--workspace",
            "--features",
            "ledge/embed",
        ])
        .args(exec::locked());
    cargo
}

/// Precompiles a component unless nothing changed since the last time.
fn precompile(workspace: &Workspace, component: &Path) -> Result<PathBuf> {
    let precompiled = component.with_extension("cwasm");
    let recorded = files::beside(&precompiled, "inputs");
    let program = workspace.binary(PRECOMPILER);
    let inputs = files::stamp(component)? + &files::stamp(&program)?;
    if precompiled.exists() && fs::read_to_string(&recorded).is_ok_and(|last| last == inputs) {
        return Ok(precompiled);
    }

    let step = Step::begin("precompiling the component");
    let fresh = files::beside(&precompiled, "new");
    exec::check(exec::program(&program).arg(component).arg(&fresh))?;
    if fs::metadata(&fresh).map_or(0, |file| file.len()) == 0 {
        bail!("{} wrote nothing", program.display());
    }
    // The file keeps its time when its bytes are the same, and then `ledge` is not linked again.
    let changed = files::copy_if_changed(&fresh, &precompiled)?;
    fs::remove_file(&fresh).with_context(|| format!("cannot remove {}", fresh.display()))?;
    files::write_if_changed(&recorded, inputs.as_bytes())?;
    step.done_with(if changed { "new" } else { "unchanged" });
    Ok(precompiled)
}
