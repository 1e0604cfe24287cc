//! The output of `strace -f -y`: who called what, in which order.
//!
//! ```text
//! 4711  pwrite64(12</s/partial/sha256-ab>, ""..., 65536, 0) = 65536
//! 4712  fsync(12</s/partial/sha256-ab> <unfinished ...>
//! 4711  rename("/a", "/b") = 0
//! 4712  <... fsync resumed>)               = 0
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Calls that take names; the others take files that are open.
const OF_NAMES: [&str; 3] = ["rename", "mkdir", "link"];

/// A call that did what it says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    name: String,
    /// The file, or what is renamed or made.
    pub(super) path: PathBuf,
    /// What it is renamed to.
    pub(super) target: Option<PathBuf>,
    /// Where `pwrite64` writes.
    pub(super) offset: Option<u64>,
    /// The line on which it was called, and the one on which it had returned.
    pub(super) begin: usize,
    pub(super) end: usize,
}

impl Call {
    pub(super) fn writes(&self) -> bool {
        self.name.starts_with("write") || self.name.starts_with("pwrite")
    }

    pub(super) fn syncs(&self) -> bool {
        self.name == "fsync" || self.name == "fdatasync"
    }

    pub(super) fn makes(&self, directory: &Path) -> bool {
        self.name.starts_with("mkdir") && self.path == directory
    }
}

/// The calls that succeeded, in the order in which they returned.
pub(super) fn parse(trace: &str) -> Result<Vec<Call>> {
    let (mut calls, mut begun) = (Vec::new(), HashMap::new());
    for (number, line) in trace.lines().enumerate() {
        let (thread, rest) = line.split_once(' ').with_context(|| line.to_owned())?;
        let rest = rest.trim_start();
        if let Some(first) = rest.strip_suffix(" <unfinished ...>") {
            let before = begun.insert(thread, (number, first));
            ensure!(
                before.is_none(),
                "{line}: it has not returned from the last one"
            );
        } else if let Some((_, last)) = rest
            .strip_prefix("<... ")
            .and_then(|rest| rest.split_once(" resumed>"))
        {
            let (begin, first) = begun.remove(thread).with_context(|| line.to_owned())?;
            calls.extend(call(&format!("{first}{last}"), begin, number)?);
        } else {
            calls.extend(call(rest, number, number)?);
        }
    }
    Ok(calls)
}

/// A call on one line; none if it failed, or if it is a signal or an end (`--- …`, `+++ …`).
fn call(line: &str, begin: usize, end: usize) -> Result<Option<Call>> {
    if line.starts_with("---") || line.starts_with("+++") {
        return Ok(None);
    }
    let (call, result) = line.rsplit_once(" = ").with_context(|| line.to_owned())?;
    let is_success = result.starts_with(|first: char| first.is_ascii_digit());
    let (name, arguments) = call.split_once('(').with_context(|| line.to_owned())?;
    if !is_success {
        return Ok(None);
    }
    let is_of_names = OF_NAMES.iter().any(|kind| name.starts_with(kind));
    let (path, target) = if is_of_names {
        let mut quoted = arguments.split('"').skip(1).step_by(2);
        (quoted.next(), quoted.next())
    } else {
        (opened(arguments), None)
    };
    let path = path.with_context(|| format!("no path in {line}"))?;
    Ok(Some(Call {
        name: name.to_owned(),
        path: path.into(),
        target: target.map(PathBuf::from),
        offset: (name == "pwrite64").then(|| offset(arguments)).flatten(),
        begin,
        end,
    }))
}

/// What stands for an open file: `12</a/file>`.
fn opened(arguments: &str) -> Option<&str> {
    let (_, rest) = arguments.split_once('<')?;
    rest.split_once('>').map(|(path, _)| path)
}

/// The last argument.
fn offset(arguments: &str) -> Option<u64> {
    let (_, last) = arguments.trim_end().strip_suffix(')')?.rsplit_once(", ")?;
    last.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_overlap_are_put_together() -> Result<()> {
        let trace = "\
            7  pwrite64(12</s/partial/a>, \"\"..., 65536, 4096 <unfinished ...>\n\
            8  rename(\"/s/b\", \"/s/c\") = 0\n\
            9  write(5<anon_inode:[eventfd]>, \"\"..., 8) = 8\n\
            7  <... pwrite64 resumed>)           = 65536\n\
            8  fsync(3</s/c>) = -1 EIO (Input/output error)\n\
            8  mkdirat(AT_FDCWD</>, \"/s/d\", 0700) = 0\n\
            9  fdatasync(12</s/partial/a>(deleted) <unfinished ...>\n\
            9  +++ exited with 0 +++\n";
        let calls = parse(trace)?;
        let seen: Vec<_> = calls
            .iter()
            .map(|call| (call.name.as_str(), call.path.to_str(), call.begin, call.end))
            .collect();
        assert_eq!(
            seen,
            [
                ("rename", Some("/s/b"), 1, 1),
                ("write", Some("anon_inode:[eventfd]"), 2, 2),
                ("pwrite64", Some("/s/partial/a"), 0, 3),
                ("mkdirat", Some("/s/d"), 5, 5),
            ]
        );
        let offsets: Vec<_> = calls.iter().map(|call| call.offset).collect();
        assert_eq!(offsets, [None, None, Some(4096), None]);
        assert_eq!(calls[0].target.as_deref(), Some(Path::new("/s/c")));
        assert!(calls[2].writes() && !calls[2].syncs() && calls[3].makes(Path::new("/s/d")));
        Ok(())
    }

    #[test]
    fn what_is_no_trace_is_an_error() {
        for line in [
            "x",
            "7 fsync",
            "7 fsync(3</a>",
            "7 <... fsync resumed>) = 0",
        ] {
            parse(line).expect_err(line);
        }
    }
}
