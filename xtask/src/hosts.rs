//! `cargo xtask test --host spin`: the end-to-end suite on two hosts, row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use anyhow::{Context as _, Result, bail};

use crate::build;
use crate::cli::Selection;
use crate::clients;
use crate::limits::{Limits, modules};
use crate::progress::{Step, say};
use crate::spin::{HOST, Hosted};
use crate::summary::Summary;
use crate::test;
use crate::workspace::Workspace;

/// How each test ended; true is a success.
type Ended = BTreeMap<String, bool>;

/// Runs the suite on both hosts, and fails if anything but a listed limit keeps a test from passing.
pub(crate) fn compare(workspace: &Workspace, selection: &Selection) -> Result<()> {
    let limits = read(workspace)?;
    clients::for_tests(workspace, &clients::ALL)?;
    let built = build::build(workspace, &[HOST])?;
    let hosted = Hosted::new(workspace, &built)?;

    let wanted: Vec<String> = match &selection.filter {
        Some(filter) => vec![filter.clone()],
        None => limits
            .suite
            .iter()
            .map(|module| format!("{module}::"))
            .collect(),
    };
    let mut ended = Vec::new();
    for (name, host) in [("Ledge's host", "ledge"), ("the host like Spin", "spin")] {
        let step = Step::begin(format!("testing on {name}"));
        let mut cargo = build::host_cargo(workspace, "test");
        built.tell(&mut cargo);
        hosted.tell(&mut cargo);
        cargo
            .env("LEDGE_HOST", host)
            .env("PATH", test::path()?)
            .args(["--no-fail-fast", "--test", "end_to_end", "--"])
            .args(&wanted)
            .args(&selection.arguments);
        let (_, summary) = test::watch(&mut cargo, &mut io::stdout(), &mut io::stderr())?;
        step.done();
        ended.push(of_suite(&summary, &limits, selection.filter.as_deref()));
    }
    let [own, other] = ended.as_slice() else {
        bail!("two hosts were asked");
    };
    let rows = rows(own, other, &limits);
    for line in table(&rows, &limits) {
        println!("{line}");
    }
    verdict(&rows, selection.filter.is_none().then_some(&limits))
}

fn read(workspace: &Workspace) -> Result<Limits> {
    let read = |path: &str| {
        let path = workspace.root().join(path);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let limits = Limits::parse(&read("tests/spin/limits.txt")?).context("tests/spin/limits.txt")?;
    limits.check(&modules(&read("tests/it/main.rs")?))?;
    Ok(limits)
}

fn of_suite(summary: &Summary, limits: &Limits, filter: Option<&str>) -> Ended {
    let tests = summary.tests().iter();
    let wanted = tests.filter(|(name, _)| {
        limits.is_in_suite(name) && filter.is_none_or(|filter| name.contains(filter))
    });
    wanted
        .map(|(name, passed)| (name.clone(), *passed))
        .collect()
}

/// How a test ended on both hosts.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    test: &'a str,
    own: Option<bool>,
    other: Option<bool>,
    /// Why it cannot pass on the other.
    limit: Option<&'a str>,
}

impl Row<'_> {
    /// What is wrong with it, if anything.
    fn fault(&self) -> Option<&'static str> {
        match (self.own, self.other, self.limit) {
            (Some(true), Some(true), None) | (Some(true), Some(false), Some(_)) => None,
            (Some(true), Some(true), Some(_)) => Some("passes there, and a limit is listed"),
            (Some(true), Some(false), None) => Some("fails there, and no limit is listed"),
            (Some(true), None, _) => Some("did not end there"),
            _ => Some("does not pass on Ledge's host"),
        }
    }
}

fn rows<'a>(own: &'a Ended, other: &'a Ended, limits: &'a Limits) -> Vec<Row<'a>> {
    let tests: BTreeSet<_> = own.keys().chain(other.keys()).collect();
    let row = |test: &'a String| Row {
        test,
        own: own.get(test).copied(),
        other: other.get(test).copied(),
        limit: limits.limits.get(test).map(String::as_str),
    };
    tests.into_iter().map(row).collect()
}

fn table(rows: &[Row<'_>], limits: &Limits) -> Vec<String> {
    let width = rows
        .iter()
        .map(|row| row.test.len())
        .max()
        .unwrap_or(0)
        .max(20);
    let word = |ended: Option<bool>| match ended {
        Some(true) => "passed",
        Some(false) => "FAILED",
        None => "-",
    };
    let mut lines = vec![format!("{:width$}  our host  Spin-like host", "test")];
    for row in rows {
        let other = match (row.other, row.limit) {
            (Some(false), Some(limit)) => format!("limit: {limit}"),
            (ended, _) => word(ended).to_owned(),
        };
        lines.push(format!("{:width$}  {:8}  {other}", row.test, word(row.own)));
    }
    for (module, why) in &limits.apart {
        lines.push(format!(
            "{:width$}  {:8}  apart: {why}",
            format!("{module}::*"),
            "-"
        ));
    }
    lines
}

/// Fails if a row is not as it should be, or a limit is of no test. A filter leaves tests out, so then `all` is none.
fn verdict(rows: &[Row<'_>], all: Option<&Limits>) -> Result<()> {
    let mut faults = Vec::new();
    for row in rows {
        if let Some(fault) = row.fault() {
            faults.push(format!("{} {fault}", row.test));
        }
    }
    let known: BTreeSet<_> = rows.iter().map(|row| row.test).collect();
    let listed = all.iter().flat_map(|limits| limits.limits.keys());
    faults.extend(
        listed
            .filter(|test| !known.contains(test.as_str()))
            .map(|test| format!("{test} is listed, and there is no such test")),
    );
    let passed = rows.iter().filter(|row| row.fault().is_none()).count();
    say(&format!("{passed} passed, {} failed", faults.len()));
    if rows.is_empty() {
        bail!("no test was run");
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n  "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Ended, Limits, rows, table, verdict};

    fn ended(tests: &[(&str, bool)]) -> Ended {
        let tests = tests
            .iter()
            .map(|(test, passed)| ((*test).to_owned(), *passed));
        BTreeMap::from_iter(tests)
    }

    #[test]
    fn a_row_is_right_if_it_passes_or_has_a_reason() {
        let limits =
            Limits::parse("[suite]\na\n[limit] no disk\na::disk\na::fine\n[apart] no process\nb\n")
                .expect("a list");
        for (test, own, other, right) in [
            ("a::any", true, true, true),
            ("a::any", true, false, false),
            ("a::any", false, true, false),
            ("a::disk", true, false, true),
            ("a::disk", false, false, false),
            ("a::fine", true, true, false),
        ] {
            let (own, other) = (ended(&[(test, own)]), ended(&[(test, other)]));
            let rows = rows(&own, &other, &limits);
            assert_eq!(verdict(&rows, None).is_ok(), right, "{rows:?}");
        }
        assert!(verdict(&[], None).is_err(), "nothing ran");
        let (own, other) = (ended(&[("a::any", true)]), ended(&[]));
        assert!(
            verdict(&rows(&own, &other, &limits), None).is_err(),
            "it did not end"
        );
    }

    #[test]
    fn a_limit_of_no_test_is_found() {
        let limits = Limits::parse("[suite]\na\n[limit] no disk\na::gone\n").expect("a list");
        let both = ended(&[("a::any", true)]);
        let rows = rows(&both, &both, &limits);
        assert!(verdict(&rows, None).is_ok());
        assert!(verdict(&rows, Some(&limits)).is_err());
    }

    #[test]
    fn the_table_has_every_row_and_reason() {
        let limits = Limits::parse("[suite]\na\n[limit] no disk\na::disk\n[apart] no process\nb\n")
            .expect("a list");
        let own = ended(&[("a::any", true), ("a::disk", true)]);
        let other = ended(&[("a::any", true), ("a::disk", false)]);
        assert_eq!(
            table(&rows(&own, &other, &limits), &limits),
            [
                "test                  our host  Spin-like host",
                "a::any                passed    passed",
                "a::disk               passed    limit: no disk",
                "b::*                  -         apart: no process",
            ]
        );
    }
}
