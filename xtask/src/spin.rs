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

/// `cargo xtask build --spin`, which is `spin build`'s command.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let toolchain = toolchain::ensure(workspace)?;
    let registry = component::build(workspace, toolchain, REGISTRY)?;
    let composed = compose(workspace, toolchain, &registry)?;
    let source = workspace.root().join(SOURCE);
    let folder = source.parent().context("the file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    files::copy_if_changed(&composed, &source)?;
    say(&format!("{SOURCE} can be deployed"));
    Ok(())
}

/// Builds the data plane, and puts both into one component. Its path.
fn compose(workspace: &Workspace, toolchain: Toolchain, registry: &Path) -> Result<PathBuf> {
    let provider = component::build(workspace, toolchain, BLOBS)?;
    let step = Step::begin("composing the deployable component");
    exec::check(build::cargo_build(workspace).args(["--bin", COMPOSER]))?;
    let composed = workspace.components().join("ledge_spin.wasm");
    let fresh = files::beside(&composed, "new");
    let mut composer = exec::program(workspace.binary(COMPOSER));
    exec::check(composer.args([registry, &provider, &fresh]))?;
    let changed = files::copy_if_changed(&fresh, &composed)?;
    fs::remove_file(&fresh).with_context(|| format!("cannot remove {}", fresh.display()))?;
    step.done_with(if changed { "new" } else { "unchanged" });
    Ok(composed)
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
        let deployable = compose(workspace, built.toolchain, &built.component)?;
        let compiled = deployable.with_extension("cwasm");
        let host = workspace.binary(HOST);
        let mut compiler = exec::program(&host);
        exec::check(compiler.arg("compile").args([&deployable, &compiled]))?;
        Ok(Self {
            deployable,
            compiled,
            host,
        })
    }

    /// Tells tests where these are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("LEDGE_SPIN_WASM", &self.deployable)
            .env("LEDGE_SPIN_COMPILED", &self.compiled)
            .env("LEDGE_SPIN_HOST", &self.host);
    }
}
