//! `tests/spin/limits.txt`: which tests run on the host that is like Spin, and why some cannot pass there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};

/// The list, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Modules of end-to-end tests that run on both hosts.
    pub(crate) suite: BTreeSet<String>,
    /// Tests of the suite that cannot pass, and why.
    pub(crate) limits: BTreeMap<String, String>,
    /// Modules that do not run there, and why.
    pub(crate) apart: BTreeMap<String, String>,
}

/// What the lines below a heading are.
enum Part {
    Suite,
    Limit(String),
    Apart(String),
}

impl Limits {
    /// Reads the list. Each entry stands in it once.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut list = Self::default();
        let mut part = None;
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(heading) = line.strip_prefix('[') {
                part = Some(Part::parse(heading)?);
                continue;
            }
            let entry = line.to_owned();
            let new = match part
                .as_ref()
                .with_context(|| format!("{line} is below no heading"))?
            {
                Part::Suite => list.suite.insert(entry),
                Part::Limit(why) => list.limits.insert(entry, why.clone()).is_none(),
                Part::Apart(why) => list.apart.insert(entry, why.clone()).is_none(),
            };
            ensure!(new, "{line} is listed twice");
        }
        for test in list.limits.keys() {
            ensure!(
                list.is_in_suite(test),
                "{test} is of no module of the suite"
            );
        }
        Ok(list)
    }

    /// Whether a test's module is in the suite.
    pub(crate) fn is_in_suite(&self, test: &str) -> bool {
        test.split_once("::")
            .is_some_and(|(module, _)| self.suite.contains(module))
    }

    /// Fails unless every module of the tests is in the list once: a new one has to be thought of.
    pub(crate) fn check(&self, modules: &BTreeSet<String>) -> Result<()> {
        let listed: BTreeSet<_> = self
            .suite
            .iter()
            .chain(self.apart.keys())
            .cloned()
            .collect();
        ensure!(
            listed.len() == self.suite.len() + self.apart.len(),
            "a module is in the suite and apart from it"
        );
        let differing: Vec<_> = listed.symmetric_difference(modules).collect();
        ensure!(
            differing.is_empty(),
            "the list and tests/it/main.rs differ in {differing:?}"
        );
        Ok(())
    }
}

impl Part {
    /// Reads a heading without its first bracket: `suite]`, `limit] why`.
    fn parse(heading: &str) -> Result<Self> {
        let (kind, why) = heading.split_once(']').context("a heading is not closed")?;
        let why = why.trim();
        match (kind, why.is_empty()) {
            ("suite", true) => Ok(Self::Suite),
            ("limit", false) => Ok(Self::Limit(why.to_owned())),
            ("apart", false) => Ok(Self::Apart(why.to_owned())),
            _ => bail!("[{heading} is no heading, or has no reason"),
        }
    }
}

/// The modules that a test binary's main file declares.
pub(crate) fn modules(main: &str) -> BTreeSet<String> {
    let names = main
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{Limits, modules};

    const LIST: &str = "# a comment\n[suite]\nclients\nranges\n\n[limit] no clock there\nranges::late\n[apart] no disk\ncrash\n";

    #[test]
    fn a_list_is_read() {
        let list = Limits::parse(LIST).expect("a list");
        assert_eq!(list.limits["ranges::late"], "no clock there");
        assert_eq!(list.apart["crash"], "no disk");
        assert!(list.is_in_suite("clients::skopeo") && list.is_in_suite("ranges::a::b"));
        assert!(!list.is_in_suite("crash::a") && !list.is_in_suite("clients"));
    }

    #[test]
    fn what_has_no_reason_or_no_place_is_refused() {
        for list in [
            "clients",
            "[limit]\na::b",
            "[suite] why\na",
            "[other] why\na",
            "[suite\na",
            "[suite]\na\na",
            "[limit] why\na::b",
        ] {
            assert!(Limits::parse(list).is_err(), "{list}");
        }
    }

    #[test]
    fn every_module_is_listed_once() {
        let list = Limits::parse(LIST).expect("a list");
        let all = modules("//! Tests.\n\nmod clients;\nmod crash;\nmod ranges;\n");
        assert!(list.check(&all).is_ok());
        assert!(list.check(&modules("mod clients;\nmod crash;\n")).is_err());
        assert!(
            list.check(&modules(
                "mod clients;\nmod crash;\nmod ranges;\nmod new;\n"
            ))
            .is_err()
        );
    }
}
