//! `cargo xtask test`: every test, with real clients.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::build;
use crate::cli::{Host, Selection};
use crate::clients;
use crate::component;
use crate::exec;
use crate::progress::{Step, say};
use crate::serve::{self, Served};
use crate::spin::{HOST, Hosted};
use crate::summary::Summary;
use crate::workspace::Workspace;

/// The component that only tests run, and the variable that names its file: it shows that the host stays
/// within its bounds.
const HOSTILE: (&str, &str) = ("ledge-hostile-guest", "LEDGE_HOSTILE_WASM");

pub(crate) fn test(workspace: &Workspace, selection: &Selection) -> Result<()> {
    clients::for_tests(workspace, &clients::ALL)?;
    let built = build::build(workspace, &[HOST])?;
    let (package, variable) = HOSTILE;
    let hostile = component::build(workspace, built.toolchain, package)?;
    let hosted = Hosted::new(workspace, &built)?;
    let wasmtime = wasmtime(workspace, selection)?;
    let served =
        wasmtime.map(|wasmtime| Served::new(workspace, built.toolchain, &hosted, wasmtime));

    let step = Step::begin("testing");
    let mut cargo = build::host_cargo(workspace, "test");
    built.tell(&mut cargo);
    hosted.tell(&mut cargo);
    if let Some(served) = served.transpose()? {
        served.tell(&mut cargo);
    }
    cargo
        .arg("--no-fail-fast")
        .env(variable, hostile)
        .env("PATH", path()?)
        .args(wanted(selection))
        .arg("--")
        .args(&selection.arguments);
    if io::stderr().is_terminal() {
        // We stand between cargo and the terminal, and it would take that for a file.
        cargo.env("CARGO_TERM_COLOR", "always");
    }
    let (status, summary) = watch(&mut cargo, &mut io::stdout(), &mut io::stderr())?;
    step.done_with(if status.success() { "passed" } else { "failed" });
    for line in summary.lines() {
        say(&line);
    }
    if !status.success() {
        bail!(
            "tests failed ({status}). Run one again with its output: \
             cargo xtask test NAME -- --nocapture"
        );
    }
    Ok(())
}

/// The second host, if it is there. Where it is asked for, it is put there: compiling it takes as long as Ledge.
fn wasmtime(workspace: &Workspace, selection: &Selection) -> Result<Option<PathBuf>> {
    if selection.host == Some(Host::Wasmtime) {
        return serve::ensure(workspace).map(Some);
    }
    Ok(serve::found(workspace))
}

/// What the names of tests have to contain.
fn wanted(selection: &Selection) -> Option<&str> {
    let all = (selection.host == Some(Host::Wasmtime)).then_some(serve::MODULE);
    selection.filter.as_deref().or(all)
}

/// Where tests look for programs.
pub(crate) fn path() -> Result<OsString> {
    env::join_paths(exec::directories()).context("PATH has a directory with a colon")
}

/// Runs, passes both outputs on as they come, and counts what they say.
pub(crate) fn watch(
    command: &mut Command,
    stdout: &mut impl Write,
    stderr: &mut (impl Write + Send),
) -> Result<(ExitStatus, Summary)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let complaints = child.stderr.take().context("cargo has no standard error")?;

    let summary = Mutex::new(Summary::default());
    thread::scope(|scope| {
        let other = scope.spawn(|| pass_on(complaints, stderr, &summary));
        let passed_on = pass_on(output, stdout, &summary);
        passed_on.and(
            other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        )
    })
    .context("cannot pass on what the tests print")?;
    let status = child.wait().context("cannot wait for cargo")?;
    Ok((
        status,
        summary.into_inner().unwrap_or_else(PoisonError::into_inner),
    ))
}

/// Copies line by line, so that lines of the two outputs stay whole.
fn pass_on(from: impl Read, to: &mut impl Write, summary: &Mutex<Summary>) -> io::Result<()> {
    for line in BufReader::new(from).split(b'\n') {
        let mut line = line?;
        let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
        summary.read(&String::from_utf8_lossy(&line));
        line.push(b'\n');
        to.write_all(&line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::watch;
    use crate::exec;

    #[test]
    fn the_exit_code_decides_whatever_the_lines_say() {
        let script = "printf 'test result: ok. 3 passed; 0 failed; 0 ignored\\n\\377 no newline'; \
                      echo 'SKIPPED: no wrk' >&2; exit 7";
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (status, summary) = watch(
            exec::program("sh").args(["-c", script]),
            &mut stdout,
            &mut stderr,
        )
        .expect("it runs");
        assert_eq!(status.code(), Some(7));
        assert_eq!(
            stdout,
            b"test result: ok. 3 passed; 0 failed; 0 ignored\n\xff no newline\n"
        );
        assert_eq!(stderr, b"SKIPPED: no wrk\n");
        assert_eq!(
            summary.lines(),
            [
                "3 passed, 0 failed, 0 ignored in 1 test binaries",
                "SKIPPED: no wrk"
            ]
        );
    }
}
