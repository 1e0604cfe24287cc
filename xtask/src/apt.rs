//! Debian's packages.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::exec;
use crate::files;
use crate::progress::Step;

/// Another apt-get, such as the nightly one, holds the lock for about this many seconds at most.
const LOCK_SECONDS: &str = "DPkg::Lock::Timeout=120";

/// Debian's hook that says whether a package may start its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// 101 is "forbidden" (Debian's README.policy-rc.d). The second line tells ours from the machine's own.
const FORBID: &str =
    "#!/bin/sh\n# Written by Ledge's xtask while it installs packages.\nexit 101\n";

/// Whether this is a Debian-like machine on which this process may install packages.
pub(crate) fn is_usable() -> bool {
    exec::is_root() && exec::find("apt-get").is_some() && exec::find("dpkg-query").is_some()
}

/// Those of `packages` that are not installed. All of them where there is no dpkg.
pub(crate) fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    // dpkg-query fails when a name is unknown, and still prints the others.
    let mut query = exec::program("dpkg-query");
    query
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(packages);
    let answer = query
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    not_in(packages, &String::from_utf8_lossy(&answer))
}

fn not_in<'a>(packages: &[&'a str], answer: &str) -> Vec<&'a str> {
    let installed: Vec<&str> = answer
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .collect();
    packages
        .iter()
        .copied()
        .filter(|package| !installed.contains(package))
        .collect()
}

/// Installs packages, without starting a service. What apt-get prints goes to `log`, which errors name.
pub(crate) fn install(packages: &[&str], log: &Path) -> Result<()> {
    let step = Step::begin_logged(format!("installing Debian's {}", packages.join(" ")), log);
    let file = files::create(log)?;
    let _guard = NoServices::hold(Path::new(POLICY))?;
    if !try_install(packages, &file)? {
        // The lists may be missing or old. Lists that cannot be fetched matter only if the next line fails.
        exec::succeeds_logged(apt_get().arg("update"), &file)?;
        if !try_install(packages, &file)? {
            bail!(
                "{}",
                failure(packages, log, &fs::read_to_string(log).unwrap_or_default())
            );
        }
    }
    step.done();
    Ok(())
}

fn try_install(packages: &[&str], log: &File) -> Result<bool> {
    exec::succeeds_logged(
        apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
        log,
    )
}

fn apt_get() -> std::process::Command {
    let mut command = exec::program("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-o", LOCK_SECONDS]);
    command
}

fn failure(packages: &[&str], log: &Path, output: &str) -> String {
    let reasons: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("E:"))
        .collect();
    let reason = reasons
        .last()
        .map(|line| format!(" ({line})"))
        .unwrap_or_default();
    format!(
        "apt-get could not install {}{reason}; its whole output is in {}",
        packages.join(" "),
        log.display()
    )
}

/// Keeps packages from starting their services: the tests start their own, and ports belong to the machine's owner.
struct NoServices {
    ours: Option<PathBuf>,
}

impl NoServices {
    /// A policy that the machine has already is respected. One that a killed xtask left is taken over.
    fn hold(policy: &Path) -> Result<Self> {
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(policy)
        {
            Ok(mut file) => {
                let guard = Self {
                    ours: Some(policy.to_owned()),
                };
                file.write_all(FORBID.as_bytes())
                    .with_context(|| format!("cannot write {}", policy.display()))?;
                Ok(guard)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let left = fs::read(policy).is_ok_and(|content| content == FORBID.as_bytes());
                Ok(Self {
                    ours: left.then(|| policy.to_owned()),
                })
            }
            Err(error) => Err(error).with_context(|| format!("cannot write {}", policy.display())),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = &self.ours {
            // Nothing can be done about a failure here; the next installation takes it over.
            let _ = fs::remove_file(policy);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{FORBID, NoServices, failure, not_in};

    #[test]
    fn only_an_installed_package_is_there() {
        let answer = "zstd installed\nwrk config-files\nskopeo not-installed\n";
        assert_eq!(
            not_in(&["zstd", "wrk", "skopeo", "podman"], answer),
            ["wrk", "skopeo", "podman"]
        );
        assert_eq!(not_in(&["zstd"], "zstd-dev installed\n"), ["zstd"]);
        assert_eq!(not_in(&["zstd"], ""), ["zstd"]);
    }

    #[test]
    fn a_failure_says_why_and_where_to_look() {
        let output = "Reading lists\nE: old\nW: warn\nE: Unable to locate package rustc-web\n";
        assert_eq!(
            failure(&["rustc-web", "lld-22"], Path::new("/l/apt.log"), output),
            "apt-get could not install rustc-web lld-22 (E: Unable to locate package rustc-web); \
             its whole output is in /l/apt.log"
        );
    }

    #[test]
    fn our_policy_goes_and_the_machine_s_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let policy = directory.path().join("policy-rc.d");

        let guard = NoServices::hold(&policy).expect("held");
        assert_eq!(fs::read_to_string(&policy).expect("there"), FORBID);
        drop(guard);
        assert!(!policy.exists());

        fs::write(&policy, FORBID).expect("what a killed run leaves");
        drop(NoServices::hold(&policy).expect("taken over"));
        assert!(!policy.exists());

        fs::write(&policy, "#!/bin/sh\nexit 0\n").expect("the machine's own");
        drop(NoServices::hold(&policy).expect("respected"));
        assert_eq!(
            fs::read_to_string(&policy).expect("there"),
            "#!/bin/sh\nexit 0\n"
        );
    }
}
