//! `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers, from 08 on: lists
//! of Structured Fields (RFC 9651, section 3.1) with an item for each policy, by its name.

use super::Counted;
use sfv::{BareItem, Item, KeyRef, List, ListEntry, Parser, key_ref};

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

fn counted(limit: &Item, policies: &[Item]) -> Option<(Counted, Counted)> {
    let called = name(limit)?;
    let left = whole(limit, key_ref("r"))?;
    let remaining = Counted {
        count: left.try_into().ok()?,
        window: whole(limit, key_ref("t")),
    };
    let policy = policies.iter().find(|policy| name(policy) == Some(called));
    let Some(policy) = policy else {
        let count = remaining.count.max(1);
        return Some((Counted { count, ..remaining }, remaining));
    };
    let unit = policy.params.get(key_ref("qu"));
    if unit.is_some_and(|unit| unit.as_string().map(|unit| unit.as_str()) != Some(REQUESTS)) {
        return None;
    }
    let quota = Counted {
        count: whole(policy, key_ref("q"))?.try_into().ok()?,
        window: whole(policy, key_ref("w")),
    };
    Some((quota, remaining))
}

/// The items of a list; none if it is malformed, and so to be ignored (RFC 9651, section 4.2).
fn items(text: &str) -> Vec<Item> {
    if text.len() > MAX_FIELD {
        return Vec::new();
    }
    let list = Parser::new(text).parse::<List>().unwrap_or_default();
    let items = list.into_iter().filter_map(|entry| match entry {
        ListEntry::Item(item) => Some(item),
        ListEntry::InnerList(_) => None,
    });
    items.collect()
}

/// What an item's policy is called: a string (section 3 of the draft).
fn name(item: &Item) -> Option<&str> {
    item.bare_item.as_string().map(|name| name.as_str())
}

/// A parameter that is a number and not negative.
fn whole(item: &Item, key: &KeyRef) -> Option<u64> {
    let value = item.params.get(key).and_then(BareItem::as_integer)?;
    u64::try_from(i64::from(value)).ok()
}
