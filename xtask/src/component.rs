//! Building WebAssembly components.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::exec;
use crate::files;
use crate::progress::Step;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::Workspace;

/// The registry's handlers.
pub(crate) const REGISTRY: &str = "ledge-registry";

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`, so that a path may have spaces (cargo's reference, "Environment
/// Variables").
const FLAG_SEPARATOR: &str = "\x1f";

/// How a component is compiled. One unit and link-time optimisation make it smaller, faster in the runtime and less
/// dependent on the order of compilation; panics keep their message and place without debug information.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "none"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
];

/// Builds a package for WebAssembly and hands the file over in `components/`. Its path.
pub(crate) fn build(workspace: &Workspace, toolchain: Toolchain, package: &str) -> Result<PathBuf> {
    let step = Step::begin(format!("building the component {package}"));
    exec::check(&mut command(workspace, toolchain, package)?)?;
    let name = file_name(package);
    let handed_over = workspace.components().join(&name);
    let changed = files::copy_if_changed(
        &workspace
            .wasm_target()
            .join(TARGET)
            .join("release")
            .join(name),
        &handed_over,
    )?;
    step.done_with(if changed { "new" } else { "unchanged" });
    Ok(handed_over)
}

/// Each package is built by itself: built together, features that one asks for would change the
/// other's bytes.
///
/// The crate type is given here and not in the package: the symbols that a component exports have
/// names (`[async-lift]…`) of which a native linker makes no shared library, so that
/// `cargo test --workspace` would fail.
fn command(workspace: &Workspace, toolchain: Toolchain, package: &str) -> Result<Command> {
    let mut cargo = exec::cargo();
    cargo
        .current_dir(workspace.root())
        .args(["rustc", "--release", "--lib", "--crate-type", "cdylib"])
        .args(["--target", TARGET, "--package", package, "--target-dir"])
        .arg(workspace.wasm_target())
        .args(exec::locked())
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            flags(toolchain, &cargo_home()?).join(FLAG_SEPARATOR),
        )
        .envs(PROFILE);
    if toolchain == Toolchain::Debian {
        // Debian has no std for the target, but its sources. Building std asks for an unstable flag.
        cargo
            .arg("-Zbuild-std=std,panic_abort")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC", "/usr/bin/rustc");
    }
    Ok(cargo)
}

/// The compiler's flags. These replace the flags that are set for the host's programs (`RUSTFLAGS`, configuration).
fn flags(toolchain: Toolchain, cargo_home: &Path) -> Vec<String> {
    // Panics name source files: the same on every machine.
    let mut flags = vec![format!(
        "--remap-path-prefix={}=/cargo",
        cargo_home.display()
    )];
    if toolchain == Toolchain::Debian {
        flags.extend(
            [
                "-Lnative=/usr/lib/wasm32-wasi",
                "-Clink-arg=--wasm-ld-path=/usr/bin/wasm-ld-22",
            ]
            .map(String::from),
        );
    }
    flags
}

/// Where cargo keeps the dependencies' sources.
fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = env::home_dir().context("there is no home directory: set HOME or CARGO_HOME")?;
    Ok(home.join(".cargo"))
}

fn file_name(package: &str) -> String {
    format!("{}.wasm", package.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{REGISTRY, file_name, flags};
    use crate::toolchain::Toolchain;

    #[test]
    fn the_file_is_named_like_the_crate() {
        assert_eq!(file_name(REGISTRY), "ledge_registry.wasm");
    }

    #[test]
    fn only_debian_s_compiler_is_told_where_its_linker_is() {
        let home = Path::new("/home/a person/.cargo");
        let remap = "--remap-path-prefix=/home/a person/.cargo=/cargo";
        assert_eq!(flags(Toolchain::Installed, home), [remap]);
        assert_eq!(
            flags(Toolchain::Debian, home),
            [
                remap,
                "-Lnative=/usr/lib/wasm32-wasi",
                "-Clink-arg=--wasm-ld-path=/usr/bin/wasm-ld-22"
            ]
        );
    }
}
