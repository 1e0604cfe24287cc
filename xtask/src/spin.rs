//! Building what is deployed to Spin: the registry component, and its data plane over HTTP, in one file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::build::{self, Built};
use crate::component::{self, BLOBS, REGISTRY};
use crate::exec;
use crate::files;
use crate::progress::{Step, say};
use crate::toolchain::{self, Toolchain};
use crate::workspace::Workspace;

/// The program that makes one component of two: `ledge-compose REGISTRY PROVIDER OUT`.
const COMPOSER: &str = "ledge-compose";

/// The host that tests run it on.
pub(crate) const HOST: &str = "ledge-spin-host";

/// Where `spin.toml` looks for the deployable file, in the clone, wherever cargo builds.
const SOURCE: &str = "target/spin/ledge.wasm";

/// The same with nothing but WASI left to provide.
const WASI: &str = "target/spin/ledge-wasi.wasm";

/// The component that provides Spin's interfaces over WASI's.
const PLATFORM: &str = "ledge-spin-platform";

/// `cargo xtask build --spin`, which is `spin build`'s command.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let toolchain = toolchain::ensure(workspace)?;
    let registry = component::build(workspace, toolchain, REGISTRY)?;
    let composed = deployable(workspace, toolchain, &registry)?;
    hand_over(workspace, &composed, SOURCE)
}

/// `cargo xtask build --wasi`.
pub(crate) fn build_wasi(workspace: &Workspace) -> Result<()> {
    let toolchain = toolchain::ensure(workspace)?;
    let registry = component::build(workspace, toolchain, REGISTRY)?;
    let deployable = deployable(workspace, toolchain, &registry)?;
    let composed = over_wasi(workspace, toolchain, &deployable)?;
    hand_over(workspace, &composed, WASI)
}

fn hand_over(workspace: &Workspace, composed: &Path, place: &str) -> Result<()> {
    let target = workspace.root().join(place);
    let folder = target.parent().context("the file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    files::copy_if_changed(composed, &target)?;
    say(&format!("{place} can be deployed"));
    Ok(())
}

/// Builds the data plane, and puts both into one component. Its path.
fn deployable(workspace: &Workspace, toolchain: Toolchain, registry: &Path) -> Result<PathBuf> {
    let provider = component::build(workspace, toolchain, BLOBS)?;
    compose(workspace, [registry, &provider], "ledge_spin.wasm")
}

/// Builds what plays Spin, and puts it into one component with the deployable one. Its path.
pub(crate) fn over_wasi(
    workspace: &Workspace,
    toolchain: Toolchain,
    deployable: &Path,
) -> Result<PathBuf> {
    let platform = component::build(workspace, toolchain, PLATFORM)?;
    compose(workspace, [deployable, &platform], "ledge_wasi.wasm")
}

/// Puts a component and what provides for it into one of this name. Its path.
fn compose(workspace: &Workspace, parts: [&Path; 2], name: &str) -> Result<PathBuf> {
    let step = Step::begin(format!("composing {name}"));
    exec::check(build::cargo_build(workspace).args(["--bin", COMPOSER]))?;
    let composed = workspace.components().join(name);
    let fresh = files::beside(&composed, "new");
    let mut composer = exec::program(workspace.binary(COMPOSER));
    exec::check(composer.args(parts).arg(&fresh))?;
    let changed = files::copy_if_changed(&fresh, &composed)?;
    fs::remove_file(&fresh).with_context(|| format!("cannot remove {}", fresh.display()))?;
    step.done_with(if changed { "new" } else { "unchanged" });
    Ok(composed)
}

/// What the host that is like Spin makes of a component, so that it starts at once.
pub(crate) fn compiled(workspace: &Workspace, component: &Path) -> Result<PathBuf> {
    let compiled = component.with_extension("cwasm");
    let mut compiler = exec::program(workspace.binary(HOST));
    exec::check(compiler.arg("compile").args([component, &compiled]))?;
    Ok(compiled)
}

/// The deployable component, and the host that tests run it on.
#[derive(Debug)]
pub(crate) struct Hosted {
    deployable: PathBuf,
    /// What the host has compiled of it.
    compiled: PathBuf,
    host: PathBuf,
}

impl Hosted {
    /// Composes and compiles it. The host was built before, with what it is composed of.
    pub(crate) fn new(workspace: &Workspace, built: &Built) -> Result<Self> {
        let deployable = deployable(workspace, built.toolchain, &built.component)?;
        Ok(Self {
            compiled: compiled(workspace, &deployable)?,
            deployable,
            host: workspace.binary(HOST),
        })
    }

    /// The deployable component.
    pub(crate) fn deployable(&self) -> &Path {
        &self.deployable
    }

    /// Tells tests where these are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("LEDGE_SPIN_WASM", &self.deployable)
            .env("LEDGE_SPIN_COMPILED", &self.compiled)
            .env("LEDGE_SPIN_HOST", &self.host);
    }
}
