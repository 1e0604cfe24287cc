//! How long what an upstream says is good for.

use std::time::Duration;

use ledge_core::config::{RepositoryPattern, TagPattern};

use crate::entries::{boolean, required, scalar, seconds, sections};
use crate::error::{Fault, Problem};
use crate::file::{Key, Section};
use crate::provenance::{Provenance, Sourced};
use crate::setting::{
    FRESH, FRESH_MOST, NEGATIVE, NEGATIVE_MOST, STALE_IF_ERROR, STALE_WHILE_REVALIDATE,
};
use crate::types::{Freshness, FreshnessRule};

/// What a section says of it.
#[derive(Default)]
pub(crate) struct GivenFreshness {
    fresh: Option<Sourced<Duration>>,
    stale_while_revalidate: Option<Sourced<Duration>>,
    stale_if_error: Option<Sourced<Duration>>,
    negative: Option<Sourced<Duration>>,
    client_no_cache: Option<Sourced<bool>>,
    rules: Vec<FreshnessRule>,
}

impl GivenFreshness {
    pub(crate) fn read(section: &mut Section<'_>, problems: &mut Vec<Problem>) -> Self {
        let mut duration = |key, most| scalar(section.take(key), seconds(most), problems);
        let fresh = duration("fresh", FRESH_MOST);
        let stale_while_revalidate = duration("stale_while_revalidate", FRESH_MOST);
        let stale_if_error = duration("stale_if_error", FRESH_MOST);
        let negative = duration("negative", NEGATIVE_MOST);
        Self {
            fresh,
            stale_while_revalidate,
            stale_if_error,
            negative,
            client_no_cache: boolean(section.take("client_no_cache"), problems),
            rules: sections(section.take("freshness"), problems, rule),
        }
    }

    /// With the defaults where nothing is said.
    pub(crate) fn filled(self) -> Freshness {
        Freshness {
            fresh: or_default(self.fresh, FRESH),
            stale_while_revalidate: or_default(self.stale_while_revalidate, STALE_WHILE_REVALIDATE),
            stale_if_error: or_default(self.stale_if_error, STALE_IF_ERROR),
            negative: or_default(self.negative, NEGATIVE),
            client_no_cache: or_default(self.client_no_cache, false),
            rules: self.rules,
        }
    }
}

fn or_default<T>(given: Option<Sourced<T>>, default: T) -> Sourced<T> {
    given.unwrap_or_else(|| Sourced::new(default, Provenance::Default))
}

/// One of `[[upstreams."x".freshness]]`.
fn rule(
    head: &Key,
    section: &mut Section<'_>,
    problems: &mut Vec<Problem>,
) -> Option<FreshnessRule> {
    let repository = scalar(section.take("repository"), repository_pattern, problems);
    let tag = scalar(section.take("tag"), tag_pattern, problems);
    let fresh = required(section, head, "fresh", problems);
    Some(FreshnessRule {
        repository,
        tag,
        fresh: scalar(fresh, seconds(FRESH_MOST), problems)?,
    })
}

pub(crate) fn repository_pattern(text: &str) -> Result<RepositoryPattern, Fault> {
    RepositoryPattern::parse(text).map_err(Fault::Pattern)
}

pub(crate) fn tag_pattern(text: &str) -> Result<TagPattern, Fault> {
    TagPattern::parse(text).map_err(Fault::Pattern)
}
