//! Lists of tags and repositories: OCI distribution specification 1.1, "Listing Tags".
//!
//! Origins sort and cut their lists in many ways, or not at all; so the whole
//! list is gathered, and cut here.

use crate::bounded::Bounded;
use crate::link::next_field;
use crate::name::Tag;
use crate::route::Page;
use oci_spec::distribution::{RepositoryList, RepositoryListBuilder, TagList, TagListBuilder};
use serde::Deserialize;
use std::cmp::Ordering;

/// Most entries of a list. The largest public repositories have some ten
/// thousand tags; a quarter of a million need 16 MB of the component's memory.
pub const MAX_ENTRIES: usize = 250_000;

/// Most entries of one page, whatever `n` says; the specification lets a registry
/// send fewer than `n`.
const MAX_PAGE: u64 = 10_000;

/// Why an origin's list cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It is no JSON of the right shape.
    #[error("the list of tags is not readable")]
    Json,
    /// It is longer than [`MAX_ENTRIES`].
    #[error("the list of tags is longer than 250000 entries")]
    TooLong,
}

#[derive(Deserialize)]
struct RawTags {
    #[serde(default)]
    tags: Bounded<String, MAX_ENTRIES>,
}

/// A list that is being gathered.
#[derive(Debug, Default)]
pub struct Listing {
    entries: Vec<Box<str>>,
}

impl Listing {
    /// Adds an origin's page of tags: `{"name":…,"tags":[…]}`. What is no tag is
    /// left out: nobody could pull it.
    ///
    /// # Errors
    /// The page is not readable, or the list grows too long.
    pub fn add_tags(&mut self, json: &[u8]) -> Result<(), ListError> {
        let page: RawTags = serde_json::from_slice(json).map_err(|_| ListError::Json)?;
        if page.tags.cut {
            return Err(ListError::TooLong);
        }
        let tags = page
            .tags
            .entries
            .into_iter()
            .filter(|t| Tag::parse(t).is_ok());
        for tag in tags {
            self.add(&tag)?;
        }
        Ok(())
    }

    /// Adds one entry.
    ///
    /// # Errors
    /// The list grows too long.
    pub fn add(&mut self, entry: &str) -> Result<(), ListError> {
        if self.entries.len() == MAX_ENTRIES {
            return Err(ListError::TooLong);
        }
        self.entries.push(entry.into());
        Ok(())
    }

    /// Sorts the list, drops what is there twice, and cuts out a page.
    #[must_use]
    pub fn page(mut self, page: &Page) -> Cut {
        self.entries.sort_unstable_by(|a, b| order(a, b));
        self.entries.dedup();
        let start = match &page.last {
            Some(last) => self
                .entries
                .partition_point(|e| order(e, last) != Ordering::Greater),
            None => 0,
        };
        let rest = self.entries.len() - start;
        let wanted = page
            .n
            .map_or(rest, |n| usize::try_from(n.min(MAX_PAGE)).unwrap_or(rest));
        let more = wanted > 0 && wanted < rest;
        let shown = self.entries.into_iter().skip(start).take(wanted);
        Cut {
            entries: shown.map(String::from).collect(),
            more,
        }
    }
}

/// Lexical order: letters without regard to case, then as bytes.
fn order(a: &str, b: &str) -> Ordering {
    fold(a).cmp(fold(b)).then_with(|| a.cmp(b))
}

fn fold(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|b| b.to_ascii_lowercase())
}

/// A page that was cut out of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut {
    entries: Vec<String>,
    more: bool,
}

impl Cut {
    /// What the page holds.
    #[must_use]
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// The value of the `Link` field, if more follows. `url` builds a URL of the
    /// client's shape from the parameters `n` and `last`.
    pub fn link(&self, url: impl FnOnce(&[(&str, &str)]) -> String) -> Option<String> {
        let last = self.entries.last().filter(|_| self.more)?;
        let n = self.entries.len().to_string();
        Some(next_field(&url(&[
            ("n", n.as_str()),
            ("last", last.as_str()),
        ])))
    }

    /// The page as the answer to `tags/list` of the repository that the client
    /// calls `name`.
    #[must_use]
    pub fn tags_json(self, name: &str) -> Vec<u8> {
        let list: Option<TagList> = TagListBuilder::default()
            .name(name)
            .tags(self.entries)
            .build()
            .ok();
        serde_json::to_vec(&list).unwrap_or_default()
    }

    /// The page as the answer to `_catalog`.
    #[must_use]
    pub fn catalog_json(self) -> Vec<u8> {
        let list: Option<RepositoryList> = RepositoryListBuilder::default()
            .repositories(self.entries)
            .build()
            .ok();
        serde_json::to_vec(&list).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listing(entries: &[&str]) -> Listing {
        let mut listing = Listing::default();
        for entry in entries {
            listing.add(entry).expect("short");
        }
        listing
    }

    fn page(n: Option<u64>, last: Option<&str>) -> Page {
        Page {
            n,
            last: last.map(str::to_owned),
        }
    }

    #[test]
    fn cuts_pages() {
        let all = ["v2", "B", "a", "b", "1.10", "1.9", "a"];
        let rows: [(Page, &[&str], bool); 12] = [
            (
                page(None, None),
                &["1.10", "1.9", "a", "B", "b", "v2"],
                false,
            ),
            (page(Some(0), None), &[], false),
            (page(Some(0), Some("a")), &[], false),
            (page(Some(1), None), &["1.10"], true),
            (page(Some(2), Some("1.9")), &["a", "B"], true),
            (page(Some(2), Some("B")), &["b", "v2"], false),
            (page(Some(2), Some("aa")), &["B", "b"], true),
            (
                page(Some(6), None),
                &["1.10", "1.9", "a", "B", "b", "v2"],
                false,
            ),
            (
                page(Some(u64::MAX), None),
                &["1.10", "1.9", "a", "B", "b", "v2"],
                false,
            ),
            (page(None, Some("v2")), &[], false),
            (page(Some(5), Some("zzz")), &[], false),
            (
                page(None, Some("\u{0}é")),
                &["1.10", "1.9", "a", "B", "b", "v2"],
                false,
            ),
        ];
        for (page, entries, more) in rows {
            let cut = listing(&all).page(&page);
            assert_eq!(
                (cut.entries(), cut.more),
                (
                    entries
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .as_slice(),
                    more
                ),
                "{page:?}"
            );
        }
    }

    #[test]
    fn reads_origins_pages() {
        let mut listing = Listing::default();
        let pages = [
            r#"{"name":"x","tags":["b","a"]}"#,
            r#"{"name":"x","tags":null}"#,
            r#"{"tags":["c","-bad","no/tag",""]}"#,
            "{}",
        ];
        for json in pages {
            listing.add_tags(json.as_bytes()).expect(json);
        }
        assert_eq!(listing.page(&Page::default()).entries(), ["a", "b", "c"]);
        for json in [
            "",
            "5",
            r#"{"tags":{}}"#,
            r#"{"tags":[1]}"#,
            r#"{"tags":["a"]"#,
        ] {
            assert_eq!(
                Listing::default().add_tags(json.as_bytes()),
                Err(ListError::Json),
                "{json}"
            );
        }
    }

    #[test]
    fn is_bounded() {
        let many = format!(
            r#"{{"tags":[{}]}}"#,
            vec!["\"a\""; MAX_ENTRIES + 1].join(",")
        );
        assert_eq!(
            Listing::default().add_tags(many.as_bytes()),
            Err(ListError::TooLong)
        );
        let mut full = Listing {
            entries: vec!["a".into(); MAX_ENTRIES],
        };
        assert_eq!(full.add("b"), Err(ListError::TooLong));
        let tags: Vec<_> = (0..20_000).map(|i| i.to_string()).collect();
        let tags: Vec<_> = tags.iter().map(String::as_str).collect();
        assert_eq!(
            listing(&tags)
                .page(&page(Some(15_000), None))
                .entries()
                .len(),
            10_000
        );
    }

    #[test]
    fn prints_answers() {
        let url = |parameters: &[(&str, &str)]| {
            format!(
                "/v2/x/tags/list?n={}&last={}",
                parameters[0].1, parameters[1].1
            )
        };
        let cut = listing(&["b", "a", "c"]).page(&page(Some(2), None));
        assert_eq!(
            cut.link(url).as_deref(),
            Some(r#"</v2/x/tags/list?n=2&last=b>; rel="next""#)
        );
        assert_eq!(cut.tags_json("x"), br#"{"name":"x","tags":["a","b"]}"#);
        let cut = listing(&["b", "a"]).page(&page(None, None));
        assert_eq!(cut.link(url), None);
        assert_eq!(cut.catalog_json(), br#"{"repositories":["a","b"]}"#);
        assert_eq!(
            listing(&[]).page(&page(None, None)).tags_json("x"),
            br#"{"name":"x","tags":[]}"#
        );
    }

    proptest! {
        #[test]
        fn pages_cover_the_list(tags in proptest::collection::btree_set("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,3}", 0..40), n in 1u64..7) {
            let tags: Vec<_> = tags.iter().map(String::as_str).collect();
            let mut all = Vec::new();
            loop {
                let cut = listing(&tags).page(&page(Some(n), all.last().map(String::as_str)));
                all.extend_from_slice(cut.entries());
                if !cut.more {
                    break;
                }
            }
            prop_assert_eq!(all, listing(&tags).page(&page(None, None)).entries);
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, text in "\\{\"tags\":\\[?[\"a-z,\\[\\]{}]{0,40}") {
            let _ = (Listing::default().add_tags(&bytes), Listing::default().add_tags(text.as_bytes()));
        }
    }
}
