//! Building what is deployed to Spin: the registry component, and its data plane over HTTP, in one file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::build;
use crate::component::{self, BLOBS, REGISTRY};
use crate::exec;
use crate::files;
use crate::progress::{Step, say};
use crate::toolchain::{self, Toolchain};
use crate::workspace::Workspace;

/// The program that makes one component of two: `ledge-compose REGISTRY PROVIDER OUT`.
const COMPOSER: &str = "ledge-compose";

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
pub(crate) fn compose(
    workspace: &Workspace,
    toolchain: Toolchain,
    registry: &Path,
) -> Result<PathBuf> {
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
