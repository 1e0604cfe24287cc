//! What the test binaries said, counted.

use std::collections::{BTreeMap, BTreeSet};

/// Reads the lines that test binaries print, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    passed: u64,
    ignored: u64,
    failed: Vec<String>,
    /// Why tests did nothing. Several tests may give the same reason.
    skipped: BTreeSet<String>,
    /// How each test ended; true is a success.
    tests: BTreeMap<String, bool>,
    /// Binaries that said how they ended.
    binaries: u64,
}

impl Summary {
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.binaries += 1;
            self.passed += count(counts, "passed");
            self.ignored += count(counts, "ignored");
        } else if let Some((name, passed)) = ended(line) {
            if !passed {
                self.failed.push(name.to_owned());
            }
            self.tests.insert(name.to_owned(), passed);
        } else if let Some((_, why)) = line.split_once("SKIPPED: ") {
            self.skipped.insert(why.to_owned());
        }
    }

    /// How each test ended that did; true is a success. Several binaries may have tests of one name.
    pub(crate) fn tests(&self) -> &BTreeMap<String, bool> {
        &self.tests
    }

    /// The lines that end a run.
    pub(crate) fn lines(&self) -> Vec<String> {
        let (passed, failed, ignored) = (self.passed, self.failed.len(), self.ignored);
        let binaries = self.binaries;
        let mut lines = vec![format!(
            "{passed} passed, {failed} failed, {ignored} ignored in {binaries} test binaries"
        )];
        lines.extend(self.skipped.iter().map(|why| format!("SKIPPED: {why}")));
        lines.extend(self.failed.iter().map(|name| format!("FAILED: {name}")));
        lines
    }
}

/// The test's name in `test NAME ... FAILED` or `test NAME ... ok`, and whether it passed.
fn ended(line: &str) -> Option<(&str, bool)> {
    let (name, end) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match end {
        "ok" => Some((name, true)),
        "FAILED" => Some((name, false)),
        _ => None,
    }
}

/// The number before `word` in `ok. 3 passed; 0 failed; …`.
fn count(counts: &str, word: &str) -> u64 {
    let mut words = counts
        .split([' ', ';', '.'])
        .filter(|part| !part.is_empty());
    let mut before = "";
    words
        .find_map(|part| {
            let found = (part == word).then(|| before.parse().unwrap_or(0));
            before = part;
            found
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Summary;

    const OUTPUT: &str = "
running 3 tests
test digest::parses ... ok
test range::resolves ... FAILED
test name::long - should panic ... ok

failures:
    range::resolves

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.03s

running 41 tests
SKIPPED: podman is not installed
SKIPPED: podman is not installed
test result: ok. 40 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 12.70s
";

    #[test]
    fn binaries_add_up() {
        let mut summary = Summary::default();
        OUTPUT.lines().for_each(|line| summary.read(line));
        assert_eq!(
            summary.lines(),
            [
                "42 passed, 1 failed, 1 ignored in 2 test binaries",
                "SKIPPED: podman is not installed",
                "FAILED: range::resolves"
            ]
        );
        let ended = |name: &str| summary.tests().get(name).copied();
        assert_eq!(ended("digest::parses"), Some(true));
        assert_eq!(ended("range::resolves"), Some(false));
        assert_eq!(ended("name::long - should panic"), Some(true));
    }

    #[test]
    fn other_lines_count_for_nothing() {
        let mut summary = Summary::default();
        for line in [
            "",
            "test",
            "test result",
            "test  ... FAILE",
            "test result: passed",
            "🦀",
        ] {
            summary.read(line);
        }
        assert_eq!(
            summary.lines(),
            ["0 passed, 0 failed, 0 ignored in 1 test binaries"]
        );
    }
}
