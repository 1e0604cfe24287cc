//! Byte ranges: RFC 9110, sections 14.1.2, 14.2 and 14.4.
//!
//! A range is parsed with no size known, and resolved when the size is.

mod parts;

pub use parts::Parts;

use std::fmt;

/// More ranges than this in one field are ignored: RFC 9110, section 14.2 lets a
/// server ignore what looks like an attack. Podman's partial pulls ask for so many
/// and no more (`maxNumberMissingChunks` of containers/storage).
pub const MAX_RANGES: usize = 1024;

/// One range as a client asks for it, not yet resolved against a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteRange {
    /// `bytes=N-`: from the offset N to the end.
    From(u64),
    /// `bytes=N-M`: both inclusive, N ≤ M.
    Between(u64, u64),
    /// `bytes=-N`: the last N bytes.
    Last(u64),
}

/// A resolved range: from `start` up to, not including, `end`; `start < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset after the last byte.
    pub end: u64,
}

/// What of an object an answer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    Whole,
    /// One part.
    One(Span),
    /// Two parts or more, in the order in which they were asked for. Together they
    /// have fewer bytes than the object.
    Several(Vec<Span>),
}

impl ByteRange {
    /// Parses the value of a `Range` field. An empty list means the whole object:
    /// that is what a field of another unit, a malformed one, or one with more
    /// than [`MAX_RANGES`] ranges asks for (section 14.2: ignored).
    #[must_use]
    pub fn parse_field(value: &str) -> Vec<Self> {
        parse_set(value).unwrap_or_default()
    }

    /// What the range is of an object of `size` bytes; `None` when it cannot be
    /// satisfied. No range of an empty object can.
    #[must_use]
    pub const fn resolve(self, size: u64) -> Option<Span> {
        let (start, end) = match self {
            Self::From(first) => (first, size),
            Self::Between(first, last) => {
                let end = if last < size { last + 1 } else { size };
                (first, end)
            }
            Self::Last(count) => (size.saturating_sub(count), size),
        };
        if start < end {
            Some(Span { start, end })
        } else {
            None
        }
    }
}

impl fmt::Display for ByteRange {
    /// The range as it stands behind `bytes=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(first) => write!(f, "{first}-"),
            Self::Between(first, last) => write!(f, "{first}-{last}"),
            Self::Last(count) => write!(f, "-{count}"),
        }
    }
}

impl Span {
    /// The number of bytes, never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a span is never empty")]
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// The value of `Content-Range` for this part of an object of `size` bytes.
    #[must_use]
    pub fn content_range(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.end - 1)
    }
}

/// What to answer a client that asks for these ranges of an object of `size` bytes;
/// `None` when no range can be satisfied. No ranges ask for the whole.
///
/// Ranges that cannot be satisfied are dropped (RFC 9110, section 15.3.7.2). The rest are
/// not joined, even where they touch: Podman takes part after part for what it asked for,
/// and fails if their number differs (`handle206Response` of containers/image). Several
/// ranges with as many bytes as the object, or more than [`MAX_RANGES`], are answered
/// with the whole, so that no request makes an answer much longer than the object.
#[must_use]
pub fn select(ranges: &[ByteRange], size: u64) -> Option<Selection> {
    if ranges.is_empty() || ranges.len() > MAX_RANGES {
        return Some(Selection::Whole);
    }
    let spans: Vec<_> = ranges.iter().filter_map(|one| one.resolve(size)).collect();
    match spans.as_slice() {
        [] => None,
        [span] => Some(Selection::One(*span)),
        _ if total(&spans) >= size => Some(Selection::Whole),
        _ => Some(Selection::Several(spans)),
    }
}

fn total(spans: &[Span]) -> u64 {
    let lengths = spans.iter().map(|span| span.len());
    lengths.fold(0, u64::saturating_add)
}

/// The value of `Content-Range` of a 416 (section 15.5.17).
#[must_use]
pub fn unsatisfied_range(size: u64) -> String {
    format!("bytes */{size}")
}

fn parse_set(value: &str) -> Option<Vec<ByteRange>> {
    let (unit, set) = value.split_once('=')?;
    if !unit.trim_matches(is_blank).eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges = Vec::new();
    // Empty list elements are to be accepted, a reasonable number of them (section 5.6.1.2).
    for item in set.split(',').take(4 * MAX_RANGES) {
        let item = item.trim_matches(is_blank);
        if !item.is_empty() {
            ranges.push(parse_one(item)?);
        }
    }
    let all_read = set.bytes().filter(|b| *b == b',').count() < 4 * MAX_RANGES;
    (all_read && ranges.len() <= MAX_RANGES).then_some(ranges)
}

fn parse_one(item: &str) -> Option<ByteRange> {
    let (first, last) = item.split_once('-')?;
    match (first, last) {
        ("", count) => Some(ByteRange::Last(digits(count)?)),
        (first, "") => Some(ByteRange::From(digits(first)?)),
        (first, last) => {
            let (first, last) = (digits(first)?, digits(last)?);
            (first <= last).then_some(ByteRange::Between(first, last))
        }
    }
}

/// Digits only. A number too large for `u64` is larger than every size, and so
/// is the largest `u64`.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::ByteRange::{Between, From, Last};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_field() {
        let rows: &[(&str, &[ByteRange])] = &[
            ("bytes=0-", &[From(0)]),
            ("bytes=0-1", &[Between(0, 1)]),
            ("bytes=7-7", &[Between(7, 7)]),
            ("bytes=-5", &[Last(5)]),
            ("bytes=-0", &[Last(0)]),
            ("Bytes=8388608-", &[From(8_388_608)]),
            ("bytes= 0-0 ,\t2-3", &[Between(0, 0), Between(2, 3)]),
            ("bytes=,0-0,,", &[Between(0, 0)]),
            ("bytes=99999999999999999999999-", &[From(u64::MAX)]),
            ("bytes=0-99999999999999999999999", &[Between(0, u64::MAX)]),
            ("bytes=18446744073709551615-", &[From(u64::MAX)]),
            ("bytes=007-8", &[Between(7, 8)]),
        ];
        for (field, ranges) in rows {
            assert_eq!(ByteRange::parse_field(field), *ranges, "{field}");
        }
    }

    #[test]
    fn ignores_what_it_cannot_read() {
        let many = format!("bytes={}", vec!["0-1"; MAX_RANGES + 1].join(","));
        let commas = format!("bytes=0-1{}", ",".repeat(4 * MAX_RANGES));
        let rows = [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=,",
            "items=0-1",
            "0-1",
            "bytes=+5-",
            "bytes=0-+5",
            "bytes=--5",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=0x0-1",
            "bytes=1 -2",
            "bytes=0-1;2-3",
            "bytes=0-1,x",
            "bytes=٣-",
            "bytes=0-1\0",
            "bytes:0-1",
            "bytes=1-2-3",
            &many,
            &commas,
        ];
        for field in rows {
            assert_eq!(ByteRange::parse_field(field), [], "{field}");
        }
        let most = format!("bytes={}", vec!["0-1"; MAX_RANGES].join(","));
        assert_eq!(ByteRange::parse_field(&most).len(), MAX_RANGES);
    }

    #[test]
    fn resolves_against_a_size() {
        let rows = [
            (From(0), 10, Some((0, 10))),
            (From(9), 10, Some((9, 10))),
            (From(10), 10, None),
            (From(u64::MAX), u64::MAX, None),
            (Between(0, 0), 1, Some((0, 1))),
            (Between(2, 300), 10, Some((2, 10))),
            (Between(9, 9), 10, Some((9, 10))),
            (Between(10, 11), 10, None),
            (Between(0, u64::MAX), u64::MAX, Some((0, u64::MAX))),
            (Last(3), 10, Some((7, 10))),
            (Last(30), 10, Some((0, 10))),
            (Last(0), 10, None),
            (Last(5), 0, None),
            (From(0), 0, None),
        ];
        for (range, size, expected) in rows {
            let expected = expected.map(|(start, end)| Span { start, end });
            assert_eq!(range.resolve(size), expected, "{range} of {size}");
        }
    }

    #[test]
    fn selects_what_can_be_satisfied_in_the_order_asked_for() {
        let span = |start, end| Span { start, end };
        let several = |spans: &[_]| Some(Selection::Several(spans.to_vec()));
        let rows: &[(&[ByteRange], u64, Option<Selection>)] = &[
            (&[], 0, Some(Selection::Whole)),
            (&[], 10, Some(Selection::Whole)),
            (&[From(0)], 10, Some(Selection::One(span(0, 10)))),
            (&[From(10)], 10, None),
            (&[From(10), Last(0)], 10, None),
            (&[From(0), From(1)], 0, None),
            (&[From(10), Last(2)], 10, Some(Selection::One(span(8, 10)))),
            (
                &[Between(0, 1), Between(4, 4)],
                10,
                several(&[span(0, 2), span(4, 5)]),
            ),
            (
                &[Between(6, 7), From(20), Between(0, 0)],
                10,
                several(&[span(6, 8), span(0, 1)]),
            ),
            (
                // Neither what touches nor what overlaps is joined.
                &[Between(0, 1), Between(2, 3), Between(3, 4)],
                10,
                several(&[span(0, 2), span(2, 4), span(3, 5)]),
            ),
            (
                &[Between(0, 4), Last(4)],
                10,
                several(&[span(0, 5), span(6, 10)]),
            ),
            (&[Between(0, 4), Last(5)], 10, Some(Selection::Whole)),
            (&[From(0), Between(3, 3)], 10, Some(Selection::Whole)),
            (&[From(0), From(0)], u64::MAX, Some(Selection::Whole)),
        ];
        for (ranges, size, expected) in rows {
            assert_eq!(select(ranges, *size), *expected, "{ranges:?} of {size}");
        }
        let most = vec![Between(0, 0); MAX_RANGES];
        assert_eq!(
            select(&most, 1 << 20),
            several(&[span(0, 1); MAX_RANGES]),
            "as many as Podman asks for"
        );
        let more = vec![Between(0, 0); MAX_RANGES + 1];
        assert_eq!(select(&more, 1 << 20), Some(Selection::Whole));
    }

    #[test]
    fn prints_content_ranges() {
        let span = Between(2, 5).resolve(10).expect("satisfiable");
        assert_eq!(span.len(), 4);
        assert_eq!(span.content_range(10), "bytes 2-5/10");
        assert_eq!(unsatisfied_range(10), "bytes */10");
    }

    fn range() -> impl Strategy<Value = ByteRange> {
        prop_oneof![
            any::<u64>().prop_map(From),
            (any::<u64>(), any::<u64>()).prop_map(|(a, b)| Between(a.min(b), a.max(b))),
            any::<u64>().prop_map(Last),
        ]
    }

    fn small_range() -> impl Strategy<Value = ByteRange> {
        prop_oneof![
            (0_u64..70).prop_map(From),
            (0_u64..70, 0_u64..20).prop_map(|(first, more)| Between(first, first + more)),
            (0_u64..20).prop_map(Last),
        ]
    }

    fn asks_for(range: ByteRange, at: u64, size: u64) -> bool {
        match range {
            From(first) => at >= first,
            Between(first, last) => (first..=last).contains(&at),
            Last(count) => size - at <= count,
        }
    }

    proptest! {
        #[test]
        fn printed_ranges_parse_again(ranges in proptest::collection::vec(range(), 1..=32)) {
            let printed: Vec<_> = ranges.iter().map(ToString::to_string).collect();
            let field = format!("bytes={}", printed.join(", "));
            prop_assert_eq!(ByteRange::parse_field(&field), ranges);
        }

        #[test]
        fn a_span_lies_within(range in range(), size: u64) {
            if let Some(span) = range.resolve(size) {
                prop_assert!(span.start < span.end && span.end <= size);
            }
        }

        #[test]
        fn a_selection_has_the_bytes_that_were_asked_for(ranges in proptest::collection::vec(small_range(), 1..6), size in 0_u64..60) {
            // The offsets of the bytes that each range asks for, one by one.
            let asked: Vec<Vec<u64>> = ranges
                .iter()
                .map(|range| (0..size).filter(|at| asks_for(*range, *at, size)).collect())
                .filter(|offsets: &Vec<u64>| !offsets.is_empty())
                .collect();
            let offsets = |span: Span| (span.start..span.end).collect::<Vec<_>>();
            match select(&ranges, size) {
                None => prop_assert!(asked.is_empty()),
                Some(Selection::One(span)) => prop_assert_eq!(vec![offsets(span)], asked),
                Some(Selection::Several(spans)) => {
                    let selected: Vec<_> = spans.into_iter().map(offsets).collect();
                    prop_assert!(selected.len() > 1 && (selected.concat().len() as u64) < size);
                    prop_assert_eq!(selected, asked);
                }
                Some(Selection::Whole) => {
                    prop_assert!(asked.len() > 1 && asked.concat().len() as u64 >= size);
                }
            }
        }

        #[test]
        fn garbage_is_bounded(field in "(bytes=)?[0-9,\\- +a\\t]{0,200}|\\PC{0,100}") {
            prop_assert!(ByteRange::parse_field(&field).len() <= MAX_RANGES);
        }
    }
}
