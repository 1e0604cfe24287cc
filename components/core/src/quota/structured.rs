//! `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers, from 08 on: lists
//! of Structured Fields (RFC 9651, section 3.1) with an item for each policy, by its name.

use super::Counted;
use sfv::visitor::{
    EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// The longest field that is read, in bytes: a dozen policies, where origins have one or two.
const MAX_FIELD: usize = 1024;

/// What is counted unless a policy says otherwise.
const REQUESTS: &str = "requests";

/// Of the limit that is nearest to its end: how many requests it allows, and how many remain. A
/// limit whose policy is not told allows what remains.
pub(super) fn nearest(limits: &str, policies: &str) -> Option<(Counted, Counted)> {
    let policies = items(policies);
    let limits = items(limits);
    let limits = limits.iter().filter_map(|limit| counted(limit, &policies));
    limits.min_by_key(|(limit, remaining)| share(limit.count, remaining.count))
}

/// What remains of a limit, in millionths.
fn share(limit: u32, remaining: u32) -> u64 {
    u64::from(remaining) * 1_000_000 / u64::from(limit.max(1))
}

fn counted(limit: &Item<'_>, policies: &[Item<'_>]) -> Option<(Counted, Counted)> {
    let name = limit.name()?;
    let remaining = Counted {
        count: limit.whole("r")?.try_into().ok()?,
        window: limit.whole("t"),
    };
    let Some(policy) = policies.iter().find(|policy| policy.name() == Some(name)) else {
        let count = remaining.count.max(1);
        return Some((Counted { count, ..remaining }, remaining));
    };
    let unit = policy.parameters.get("qu");
    if unit.is_some_and(|unit| text(unit) != Some(REQUESTS)) {
        return None;
    }
    let quota = Counted {
        count: policy.whole("q")?.try_into().ok()?,
        window: policy.whole("w"),
    };
    Some((quota, remaining))
}

/// The items of a list; none if it is malformed, and so to be ignored (RFC 9651, section 4.2).
fn items(field: &str) -> Vec<Item<'_>> {
    if field.len() > MAX_FIELD {
        return Vec::new();
    }
    let list = Parser::new(field).parse_list_with_visitor(Items::default());
    list.unwrap_or_default()
}

/// A member of a list. An inner list has no name.
#[derive(Default)]
struct Item<'de> {
    value: Option<BareItemFromInput<'de>>,
    /// Of twins the last one counts (RFC 9651, section 3.1.2). A `HashMap` would make the
    /// component import randomness.
    parameters: BTreeMap<&'de str, BareItemFromInput<'de>>,
}

impl Item<'_> {
    /// What its policy is called: a string (section 3 of the draft).
    fn name(&self) -> Option<&str> {
        self.value.as_ref().and_then(text)
    }

    /// A parameter that is a number and not negative.
    fn whole(&self, key: &str) -> Option<u64> {
        let number = self.parameters.get(key)?.as_integer()?;
        u64::try_from(i64::from(number)).ok()
    }
}

fn text<'v>(value: &'v BareItemFromInput<'_>) -> Option<&'v str> {
    value.as_string().map(|text| text.as_str())
}

#[derive(Default)]
struct Items<'de>(Vec<Item<'de>>);

impl<'de> ListVisitor<'de> for Items<'de> {
    type Out = Vec<Item<'de>>;
    type Error = Infallible;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Infallible> {
        self.0.push(Item::default());
        Ok(self.0.last_mut())
    }

    fn finish(self) -> Result<Self::Out, Infallible> {
        Ok(self.0)
    }
}

impl<'de> EntryVisitor<'de> for &mut Item<'de> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for &mut Item<'de> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        value: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        self.value = Some(value);
        Ok(self)
    }
}

impl<'de> ParameterVisitor<'de> for &mut Item<'de> {
    type Out = ();
    type Error = Infallible;

    fn parameter(
        &mut self,
        key: &'de KeyRef,
        value: BareItemFromInput<'de>,
    ) -> Result<(), Infallible> {
        self.parameters.insert(key.as_str(), value);
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}
