//! Running other programs.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

/// How often a bounded wait looks whether the program has ended.
const POLL: Duration = Duration::from_millis(50);

/// A program with the environment that the person's shell has.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for (key, _) in env::vars_os() {
        if key.to_str().is_some_and(is_left_by_cargo_run) {
            command.env_remove(key);
        }
    }
    command
}

/// The cargo that runs us: a nested one must be the same, or everything is built again.
pub(crate) fn cargo() -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// `cargo run` sets these for the program that it starts. Build scripts that watch them (ring's does) would run
/// again whenever a person's own `cargo build` and ours take turns.
fn is_left_by_cargo_run(key: &str) -> bool {
    key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_")
}

/// Runs to the end; anything but success is an error that shows the command.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs to the end with everything that it prints going to `log`; true when it succeeds.
pub(crate) fn succeeds_logged(command: &mut Command, log: &File) -> Result<bool> {
    let status = logged(command, log)?
        .status()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    Ok(status.success())
}

fn logged<'a>(command: &'a mut Command, log: &File) -> Result<&'a mut Command> {
    let copy = || log.try_clone().context("cannot share the log file");
    Ok(command.stdin(Stdio::null()).stdout(copy()?).stderr(copy()?))
}

/// Runs and returns what it printed. `None` when it fails or does not exist.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()
}

/// Runs for at most `bound`, then ends it; prints to `log`. True when it succeeded in time.
pub(crate) fn succeeds_within(command: &mut Command, bound: Duration, log: &File) -> Result<bool> {
    let Ok(mut child) = logged(command, log)?.spawn() else {
        return Ok(false);
    };
    let deadline = Instant::now() + bound;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
            Ok(None) | Err(_) => {
                // A child that ended in between is what both calls would complain about.
                let _ = child.kill();
                let _ = child.wait();
                return Ok(false);
            }
        }
    }
}

/// Becomes the program, so that signals and the exit code are its own. Returns only with an error.
pub(crate) fn become_program(command: &mut Command) -> Result<()> {
    let error = command.exec();
    Err(anyhow!(error).context(format!("cannot run `{}`", shown(command))))
}

/// Where a program is: in `PATH`, or where Debian keeps daemons, which is not in everybody's `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    directories()
        .into_iter()
        .map(|directory| directory.join(name))
        .find(|path| is_executable(path))
}

/// `PATH` with the daemons' directories at its end.
pub(crate) fn directories() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = env::split_paths(&path).collect();
    directories.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    directories
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

/// Whether this process may install packages.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// In CI a `Cargo.lock` that does not fit is an error; elsewhere cargo mends it.
pub(crate) fn locked() -> Option<&'static str> {
    is_ci().then_some("--locked")
}

/// Whether a machine runs this, which nobody watches: nothing may be left out there.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| says_ci(&value))
}

/// GitHub, GitLab and others say `true`, some say `1`; a person who says `false` means it.
fn says_ci(value: &str) -> bool {
    !matches!(value, "" | "0" | "false")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{check, find, is_left_by_cargo_run, output, program, says_ci, succeeds_within};

    #[test]
    fn what_cargo_run_leaves_is_known() {
        for (key, left) in [
            ("CARGO_PKG_NAME", true),
            ("CARGO_MANIFEST_DIR", true),
            ("CARGO_MANIFEST_PATH", true),
            ("CARGO_TARGET_DIR", false),
            ("CARGO_HOME", false),
            ("CARGO", false),
            ("RUSTFLAGS", false),
        ] {
            assert_eq!(is_left_by_cargo_run(key), left, "{key}");
        }
    }

    #[test]
    fn ci_is_what_the_services_say() {
        for (value, ci) in [
            ("true", true),
            ("1", true),
            ("yes", true),
            ("false", false),
            ("0", false),
            ("", false),
        ] {
            assert_eq!(says_ci(value), ci, "{value:?}");
        }
    }

    #[test]
    fn a_failure_shows_the_command() {
        let error = check(program("sh").args(["-c", "exit 3"])).expect_err("it fails");
        assert_eq!(error.to_string(), "`sh -c exit 3` failed (exit status: 3)");
    }

    #[test]
    fn only_a_success_has_output() {
        assert_eq!(
            output(program("echo").arg("word")).as_deref(),
            Some("word\n")
        );
        assert_eq!(
            output(program("sh").args(["-c", "echo word; exit 1"])),
            None
        );
        assert_eq!(output(&mut program("/nonexistent/program")), None);
    }

    #[test]
    fn a_bounded_wait_ends() {
        let log = tempfile::tempfile().expect("a file");
        let run =
            |command: &mut Command, bound| succeeds_within(command, bound, &log).expect("a log");
        let minute = Duration::from_secs(60);
        let start = Instant::now();
        assert!(!run(program("sleep").arg("600"), Duration::from_millis(20)));
        assert!(start.elapsed() < minute);
        assert!(run(&mut program("true"), minute));
        assert!(!run(&mut program("false"), minute));
        assert!(!run(&mut program("/nonexistent/program"), minute));
    }

    #[test]
    fn programs_are_files_that_run() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-such-program"), None);
    }
}
