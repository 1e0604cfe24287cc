//! The toolchain that builds components: there already, or from rustup, or from Debian.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::apt;
use crate::exec;
use crate::files;
use crate::progress::{Step, say};
use crate::workspace::Workspace;

/// The target of the components.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Debian 12's own compiler with a WebAssembly linker, and std's sources, of which cargo builds std for the target.
const PACKAGES: [&str; 6] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "wasi-libc",
    "lld-22",
];

/// The target's std has 25 MB: minutes on a slow line, when there is nothing but to wait.
const PATIENT: Duration = Duration::from_secs(600);

/// Where Debian's packages are the other way, a mirror of rustup's that does not answer must not hold them up.
const IMPATIENT: Duration = Duration::from_secs(20);

/// What builds components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The compiler in use has the target.
    Installed,
    /// Debian's `/usr/bin/rustc`, with std built from its sources.
    Debian,
}

/// What is so on this machine.
#[derive(Debug, Clone)]
struct Facts {
    /// The compiler in use has the target's std.
    target: bool,
    /// Debian's packages that are not installed.
    packages_missing: Vec<&'static str>,
    /// rustup is here and has not failed yet.
    rustup: bool,
    /// Packages can be installed: Debian, and root.
    apt: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Use(Toolchain),
    AddTarget(Duration),
    InstallPackages(Vec<&'static str>),
    Refuse,
}

/// Nothing is fetched when something that works is there.
fn plan(facts: &Facts) -> Plan {
    if facts.target {
        Plan::Use(Toolchain::Installed)
    } else if facts.packages_missing.is_empty() {
        Plan::Use(Toolchain::Debian)
    } else if facts.rustup {
        Plan::AddTarget(if facts.apt { IMPATIENT } else { PATIENT })
    } else if facts.apt {
        Plan::InstallPackages(facts.packages_missing.clone())
    } else {
        Plan::Refuse
    }
}

/// Puts the toolchain into place. Safe to repeat, and quick when it is there.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Toolchain> {
    let mut facts = gather();
    loop {
        match plan(&facts) {
            Plan::Use(toolchain) => {
                say(&format!(
                    "toolchain for components: {}",
                    describe(toolchain)
                ));
                return Ok(toolchain);
            }
            Plan::AddTarget(bound) => {
                add_target(bound, &workspace.log("rustup"))?;
                facts = Facts {
                    rustup: false,
                    ..gather()
                };
            }
            Plan::InstallPackages(packages) => {
                apt::install(&packages, &workspace.log("apt-toolchain"))?;
                facts = gather();
                if !facts.packages_missing.is_empty() {
                    bail!(
                        "apt-get installed, yet these are missing: {}",
                        facts.packages_missing.join(" ")
                    );
                }
            }
            Plan::Refuse => bail!("{}", refusal()),
        }
    }
}

fn gather() -> Facts {
    Facts {
        target: has_target(),
        packages_missing: apt::missing(&PACKAGES),
        rustup: exec::find("rustup").is_some(),
        apt: apt::is_usable(),
    }
}

fn has_target() -> bool {
    let sysroot = exec::output(exec::program("rustc").args(["--print", "sysroot"]));
    sysroot.is_some_and(|path| {
        Path::new(path.trim_end())
            .join("lib/rustlib")
            .join(TARGET)
            .join("lib")
            .is_dir()
    })
}

fn add_target(bound: Duration, log: &Path) -> Result<()> {
    let name = format!("rustup target add {TARGET} (at most {} s)", bound.as_secs());
    let step = Step::begin_logged(name, log);
    let mut rustup = exec::program("rustup");
    rustup.args(["target", "add", TARGET]);
    let added = exec::succeeds_within(&mut rustup, bound, &files::create(log)?)?;
    step.done_with(if added { "done" } else { "failed or too slow" });
    Ok(())
}

fn describe(toolchain: Toolchain) -> String {
    match toolchain {
        Toolchain::Installed => format!("the installed {TARGET}"),
        Toolchain::Debian => "Debian's packages".to_owned(),
    }
}

fn refusal() -> String {
    format!(
        "components need the target {TARGET}. Install it in one of two ways, then run this again:\n  \
         rustup target add {TARGET}\n  \
         sudo apt-get install --no-install-recommends {}   (Debian 12)",
        PACKAGES.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::{Facts, IMPATIENT, PACKAGES, PATIENT, Plan, Toolchain, plan, refusal};

    fn bare() -> Facts {
        Facts {
            target: false,
            packages_missing: PACKAGES.to_vec(),
            rustup: false,
            apt: false,
        }
    }

    #[test]
    fn what_is_there_is_used_and_nothing_fetched() {
        let everything = Facts {
            target: true,
            packages_missing: vec![],
            rustup: true,
            apt: true,
        };
        assert_eq!(plan(&everything), Plan::Use(Toolchain::Installed));
        let packages = Facts {
            target: false,
            ..everything
        };
        assert_eq!(plan(&packages), Plan::Use(Toolchain::Debian));
    }

    #[test]
    fn rustup_comes_before_packages_and_is_awaited_longer_without_them() {
        assert_eq!(
            plan(&Facts {
                rustup: true,
                ..bare()
            }),
            Plan::AddTarget(PATIENT)
        );
        assert_eq!(
            plan(&Facts {
                rustup: true,
                apt: true,
                ..bare()
            }),
            Plan::AddTarget(IMPATIENT)
        );
    }

    #[test]
    fn without_rustup_only_the_missing_packages_are_installed() {
        let facts = Facts {
            packages_missing: vec!["lld-22"],
            apt: true,
            ..bare()
        };
        assert_eq!(plan(&facts), Plan::InstallPackages(vec!["lld-22"]));
    }

    #[test]
    fn with_neither_the_error_names_both_ways() {
        assert_eq!(plan(&bare()), Plan::Refuse);
        assert_eq!(
            refusal(),
            "components need the target wasm32-wasip2. Install it in one of two ways, then run this again:\n  \
             rustup target add wasm32-wasip2\n  \
             sudo apt-get install --no-install-recommends \
             rustc-web cargo-web rust-web-src rust-web-llvm wasi-libc lld-22   (Debian 12)"
        );
    }
}
