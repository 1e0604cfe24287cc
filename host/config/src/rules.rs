//! `[[rules]]`: what may be pulled.

use std::collections::BTreeSet;

use ledge_core::config::{Action, PlatformPattern, RuleName};

use crate::entries::{required, scalar, sections};
use crate::error::{Fault, Place, Problem, Quoted};
use crate::file::{Entry, Key, Section};
use crate::freshness::{repository_pattern, tag_pattern};
use crate::provenance::Sourced;
use crate::types::{Rule, Upstream};
use crate::upstreams::named;

/// The rules, in their order.
pub(crate) fn read(
    entry: Option<Entry<'_>>,
    upstreams: &[Upstream],
    problems: &mut Vec<Problem>,
) -> Vec<Rule> {
    let rules = sections(entry, problems, |head, section, problems| {
        rule(head, section, upstreams, problems)
    });
    problems.extend(names_taken(&rules));
    rules
}

fn rule(
    head: &Key,
    section: &mut Section<'_>,
    upstreams: &[Upstream],
    problems: &mut Vec<Problem>,
) -> Option<Rule> {
    let name = required(section, head, "name", problems);
    let name = scalar(name, rule_name, problems);
    let action = required(section, head, "action", problems);
    let action = scalar(action, parse_action, problems);
    let known = |text: &str| named(text, upstreams);
    let upstream = scalar(section.take("upstream"), known, problems);
    let repository = scalar(section.take("repository"), repository_pattern, problems);
    let tag = scalar(section.take("tag"), tag_pattern, problems);
    let platform = scalar(section.take("platform"), platform_pattern, problems);
    Some(Rule {
        name: name?,
        action: action?,
        upstream,
        repository,
        tag,
        platform,
    })
}

fn rule_name(text: &str) -> Result<RuleName, Fault> {
    RuleName::parse(text).map_err(|_| Fault::RuleName(Quoted::of(text)))
}

fn parse_action(text: &str) -> Result<Action, Fault> {
    match text {
        "allow" => Ok(Action::Allow),
        "deny" => Ok(Action::Deny),
        _ => Err(Fault::Action(Quoted::of(text))),
    }
}

fn platform_pattern(text: &str) -> Result<PlatformPattern, Fault> {
    PlatformPattern::parse(text).map_err(Fault::Platform)
}

/// A denial names its rule, so that an operator finds it.
fn names_taken(rules: &[Rule]) -> Vec<Problem> {
    let mut taken = BTreeSet::new();
    let names = rules.iter().map(|rule| &rule.name);
    names
        .filter(|name| !taken.insert(name.as_str()))
        .map(taken_name)
        .collect()
}

fn taken_name(name: &Sourced<RuleName>) -> Problem {
    Problem {
        place: Place::Value(name.provenance.clone()),
        setting: Some("rules.name".to_owned()),
        fault: Fault::NameTaken {
            name: Quoted::of(name.as_str()),
            holder: "the name of a rule".to_owned(),
        },
    }
}
