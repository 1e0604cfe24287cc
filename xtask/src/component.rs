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

/// The data plane where Ledge's own host does not run.
pub(crate) const BLOBS: &str = "ledge-blobs-http";

/// What a component's code may use beside WebAssembly's core: the library that hashes every byte has code for
/// vectors, and every host that it is for has them. What they are worth was not measured.
const FEATURES: [(&str, &str); 2] = [(BLOBS, VECTORS), ("ledge-hashing-guest", VECTORS)];

/// Instructions on 16 bytes at a time.
const VECTORS: &str = "-Ctarget-feature=+simd128";

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
        &target(workspace, package)
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
        .arg(target(workspace, package))
        .args(exec::locked())
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            flags(toolchain, &cargo_home()?, package).join(FLAG_SEPARATOR),
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

/// What a package is compiled with alone.
fn features(package: &str) -> Option<&'static str> {
    let (_, flag) = FEATURES.iter().find(|(name, _)| *name == package)?;
    Some(flag)
}

/// Other flags make other crates of the same names: where they are, nothing else is built.
fn target(workspace: &Workspace, package: &str) -> PathBuf {
    match features(package) {
        Some(_) => workspace.wasm_target().join("vectors"),
        None => workspace.wasm_target(),
    }
}

/// The compiler's flags. These replace the flags that are set for the host's programs (`RUSTFLAGS`, configuration).
fn flags(toolchain: Toolchain, cargo_home: &Path, package: &str) -> Vec<String> {
    // Panics name source files: the same on every machine.
    let mut flags = vec![format!(
        "--remap-path-prefix={}=/cargo",
        cargo_home.display()
    )];
    flags.extend(features(package).map(str::to_owned));
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

    use super::{BLOBS, REGISTRY, file_name, flags};
    use crate::toolchain::Toolchain;

    #[test]
    fn the_file_is_named_like_the_crate() {
        assert_eq!(file_name(REGISTRY), "ledge_registry.wasm");
    }

    #[test]
    fn only_debian_s_compiler_is_told_where_its_linker_is() {
        let home = Path::new("/home/a person/.cargo");
        let remap = "--remap-path-prefix=/home/a person/.cargo=/cargo";
        assert_eq!(flags(Toolchain::Installed, home, REGISTRY), [remap]);
        assert_eq!(
            flags(Toolchain::Installed, home, BLOBS),
            [remap, "-Ctarget-feature=+simd128"]
        );
        assert_eq!(
            flags(Toolchain::Debian, home, REGISTRY),
            [
                remap,
                "-Lnative=/usr/lib/wasm32-wasi",
                "-Clink-arg=--wasm-ld-path=/usr/bin/wasm-ld-22"
            ]
        );
    }
}
