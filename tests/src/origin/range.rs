//! Which part of a blob a request wants (RFC 9110, sections 13.1.5 and 14.2).

use std::ops::Range;

use http::HeaderMap;

/// What a GET is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// 200.
    Whole,
    /// 206.
    Span(Range<usize>),
    /// 416.
    Unsatisfiable,
}

/// Several ranges are answered with the whole, as RFC 9110 allows; so is what is no range.
pub(super) fn part(headers: &HeaderMap, etag: &str, size: usize) -> Part {
    let field = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let same = field("if-range").is_none_or(|wanted| wanted == etag);
    field("range")
        .filter(|_| same)
        .and_then(|range| parse(range, size))
        .unwrap_or(Part::Whole)
}

fn parse(range: &str, size: usize) -> Option<Part> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", last) => (size.saturating_sub(number(last)?), size),
        (first, "") => (number(first)?, size),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            let end = (last >= first).then(|| last.saturating_add(1))?;
            (first, end.min(size))
        }
    };
    Some(if start < end {
        Part::Span(start..end)
    } else {
        Part::Unsatisfiable
    })
}

/// Digits, and nothing else.
fn number(text: &str) -> Option<usize> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_a_hundred_bytes() {
        for (range, expected) in [
            ("bytes=0-", Part::Span(0..100)),
            ("bytes=10-19", Part::Span(10..20)),
            ("bytes=90-1000", Part::Span(90..100)),
            ("bytes=-7", Part::Span(93..100)),
            ("bytes=-1000", Part::Span(0..100)),
            ("bytes=100-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=9-2", Part::Whole),
            ("bytes=+5-", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("items=0-1", Part::Whole),
        ] {
            let headers = [(http::header::RANGE, range.parse().expect("a value"))];
            assert_eq!(
                part(&headers.into_iter().collect(), "\"a\"", 100),
                expected,
                "{range}"
            );
        }
    }

    #[test]
    fn another_validator_means_the_whole() {
        for (validator, expected) in [
            ("\"a\"", Part::Span(5..100)),
            ("\"b\"", Part::Whole),
            ("W/\"a\"", Part::Whole),
            ("Sat, 21 Nov 2026 00:00:00 GMT", Part::Whole),
        ] {
            let headers = [
                (http::header::RANGE, "bytes=5-".parse().expect("a value")),
                (http::header::IF_RANGE, validator.parse().expect("a value")),
            ];
            assert_eq!(
                part(&headers.into_iter().collect(), "\"a\"", 100),
                expected,
                "{validator}"
            );
        }
        assert_eq!(part(&HeaderMap::new(), "\"a\"", 100), Part::Whole);
    }
}
