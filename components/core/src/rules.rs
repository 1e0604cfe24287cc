//! What may be pulled: the operator's rules, in their order.
//!
//! The first rule that matches counts, and what none matches is allowed. A rule
//! matches if all that it names does: upstream, repository, tag, platform.
//!
//! Not all of that is known at every step. A digest has no tag, and the platform of
//! an image shows only in the index that lists it. A step is refused only if it
//! would be whatever is not known yet: an allowing rule counts as soon as it may
//! match, a denying one when it does. So a rule about tags governs pulls by tag, and
//! a rule about platforms the entries of an index.

use crate::config::Rule;
use crate::error::{ApiError, ErrorKind};
use crate::name::{RepositoryName, Tag};
use crate::platform::Platform;
use crate::upstream::{Upstream, UpstreamError, Upstreams};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest name of a rule in bytes: it stands in answers and in lines of a log.
const MAX_RULE_NAME: usize = 64;

/// What a rule is called.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleName(Box<str>);

/// Why a text is no name of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rule's name has 1 to 64 letters, digits, spaces, '.', '_', '-', '/' and ':'")]
pub struct RuleNameError;

impl RuleName {
    /// Parses a name.
    ///
    /// # Errors
    /// It is empty or too long, starts or ends with a space, or holds other characters
    /// than [`RuleNameError`] names.
    pub fn parse(text: &str) -> Result<Self, RuleNameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b" ._-/:".contains(&b);
        let good = (1..=MAX_RULE_NAME).contains(&text.len())
            && text.trim() == text
            && text.bytes().all(allowed);
        good.then(|| Self(text.into())).ok_or(RuleNameError)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RuleName {
    type Error = RuleNameError;

    fn try_from(text: String) -> Result<Self, RuleNameError> {
        Self::parse(&text)
    }
}

impl From<RuleName> for String {
    fn from(name: RuleName) -> Self {
        name.0.into()
    }
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It lets pull.
    Allow,
    /// It does not.
    Deny,
}

/// What is asked for, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// From where.
    pub upstream: &'a Upstream,
    /// The repository, as the origin calls it.
    pub repository: &'a RepositoryName,
    /// The tag, if it is asked for by tag.
    pub tag: Option<&'a Tag>,
    /// The platform, of an entry of an index that says so.
    pub platform: Option<&'a Platform>,
}

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It may be pulled: a rule says so, or none matches.
    Allowed(Option<&'a RuleName>),
    /// It may not.
    Denied(&'a RuleName),
}

impl Decision<'_> {
    /// What the client is told of a denial.
    #[must_use]
    pub fn refusal(self) -> Option<ApiError> {
        match self {
            Self::Allowed(_) => None,
            Self::Denied(rule) => Some(ApiError::new(
                ErrorKind::Denied,
                format!("the rule \"{rule}\" denies this"),
            )),
        }
    }
}

/// All rules, in their order.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

/// What is known of whether a rule matches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    /// It depends on what is not known.
    Perhaps,
}

impl Rules {
    /// The rules, each about an upstream by its own name.
    ///
    /// # Errors
    /// A rule is about an upstream that is not configured.
    pub(crate) fn new(rules: Vec<Rule>, upstreams: &Upstreams) -> Result<Self, UpstreamError> {
        let named = rules.into_iter().map(|rule| {
            let upstream = match &rule.upstream {
                Some(name) => Some(find(upstreams, &rule, name)?),
                None => None,
            };
            Ok(Rule { upstream, ..rule })
        });
        Ok(Self(named.collect::<Result<_, _>>()?))
    }

    /// Whether that may be pulled.
    #[must_use]
    pub fn decide(&self, subject: &Subject<'_>) -> Decision<'_> {
        for rule in &self.0 {
            match (rule.action, matches(rule, subject)) {
                (Action::Allow, Match::Yes | Match::Perhaps) => {
                    return Decision::Allowed(Some(&rule.name));
                }
                (Action::Deny, Match::Yes) => return Decision::Denied(&rule.name),
                (Action::Deny, Match::Perhaps) | (_, Match::No) => {}
            }
        }
        Decision::Allowed(None)
    }

    /// Whether any rule is about platforms: if none is, an index needs no look.
    #[must_use]
    pub fn name_platforms(&self) -> bool {
        self.0.iter().any(|rule| rule.platform.is_some())
    }
}

fn find(upstreams: &Upstreams, rule: &Rule, name: &str) -> Result<String, UpstreamError> {
    let found = upstreams.find(name).ok_or_else(|| UpstreamError::Rule {
        rule: rule.name.to_string(),
        upstream: name.to_owned(),
    })?;
    Ok(found.name().to_owned())
}

fn matches(rule: &Rule, subject: &Subject<'_>) -> Match {
    let upstream = rule.upstream.as_deref();
    let repository = rule.repository.as_ref();
    let here = upstream.is_none_or(|name| name == subject.upstream.name())
        && repository.is_none_or(|pattern| pattern.matches(subject.repository));
    if !here {
        return Match::No;
    }
    let of_tag = one(rule.tag.as_ref(), subject.tag, |p, tag| p.matches(tag));
    let of_platform = one(rule.platform.as_ref(), subject.platform, |p, platform| {
        p.matches(platform)
    });
    match (of_tag, of_platform) {
        (Match::No, _) | (_, Match::No) => Match::No,
        (Match::Yes, Match::Yes) => Match::Yes,
        _ => Match::Perhaps,
    }
}

fn one<P, V>(pattern: Option<&P>, value: Option<&V>, fits: impl Fn(&P, &V) -> bool) -> Match {
    match (pattern, value) {
        (None, _) => Match::Yes,
        (Some(_), None) => Match::Perhaps,
        (Some(pattern), Some(value)) if fits(pattern, value) => Match::Yes,
        (Some(_), Some(_)) => Match::No,
    }
}

#[cfg(test)]
mod tests;
