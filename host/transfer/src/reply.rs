//! What an origin's header says of the bytes that follow. Pure.

use std::ops::Range;

use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG};
use http::{HeaderMap, HeaderValue};

/// The announced length (RFC 9110, section 8.6), if there is exactly one and it is digits.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    digits(only(headers, &CONTENT_LENGTH)?)
}

/// Which bytes a 206 has, and of how many (RFC 9110, section 14.4). `None` unless
/// both are said and fit together.
pub(crate) fn content_range(headers: &HeaderMap) -> Option<(Range<u64>, u64)> {
    let text = only(headers, &CONTENT_RANGE)?;
    let (span, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last, size) = (digits(first)?, digits(last)?, digits(size)?);
    (first <= last && last < size).then(|| (first..last + 1, size))
}

/// Whether the origin says that it answers ranges (RFC 9110, section 14.3).
pub(crate) fn accepts_ranges(headers: &HeaderMap) -> bool {
    only(headers, &ACCEPT_RANGES).is_some_and(|units| units.eq_ignore_ascii_case("bytes"))
}

/// The size that a 416 names (RFC 9110, section 15.5.17).
pub(crate) fn unsatisfied(headers: &HeaderMap) -> Option<u64> {
    digits(only(headers, &CONTENT_RANGE)?.strip_prefix("bytes */")?)
}

/// An entity tag that `If-Range` may name: a strong one (RFC 9110, section 13.1.5).
pub(crate) fn strong_etag(headers: &HeaderMap) -> Option<HeaderValue> {
    let tag = headers.get(ETAG)?;
    let bytes = tag.as_bytes();
    let quoted = bytes.len() >= 2 && bytes.starts_with(b"\"") && bytes.ends_with(b"\"");
    quoted.then(|| tag.clone())
}

/// A coding that was put on the bytes, if any: a digest is of the plain ones (OCI
/// distribution specification 1.1, "Pulling blobs"), and identity was asked for.
pub(crate) fn coding(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers
        .get(CONTENT_ENCODING)
        .filter(|coding| *coding != "identity")
}

fn only<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let text = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(text)
}

/// A number that a file's offset can be.
fn digits(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits.then(|| text.parse().ok())??;
    i64::try_from(number).is_ok().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn lengths() {
        let rows = [
            ("0", Some(0)),
            ("17", Some(17)),
            ("+5", None),
            ("", None),
            ("5, 5", None),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("99999999999999999999", None),
        ];
        for (text, expected) in rows {
            assert_eq!(
                content_length(&field(CONTENT_LENGTH, text)),
                expected,
                "{text}"
            );
        }
        let mut twice = field(CONTENT_LENGTH, "5");
        twice.append(CONTENT_LENGTH, HeaderValue::from_static("6"));
        assert_eq!(content_length(&twice), None);
    }

    #[test]
    fn ranges() {
        let rows = [
            ("bytes 0-0/1", Some((0..1, 1))),
            ("bytes 5-9/100", Some((5..10, 100))),
            ("bytes 5-9/*", None),
            ("bytes 9-5/100", None),
            ("bytes 5-100/100", None),
            ("bytes */100", None),
            ("bytes 0-18446744073709551615/18446744073709551615", None),
            ("items 0-0/1", None),
            ("bytes +0-0/1", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(
                content_range(&field(CONTENT_RANGE, text)),
                expected,
                "{text}"
            );
        }
        assert_eq!(unsatisfied(&field(CONTENT_RANGE, "bytes */7")), Some(7));
        assert_eq!(unsatisfied(&field(CONTENT_RANGE, "bytes 0-0/7")), None);
    }

    #[test]
    fn only_strong_tags_are_named_again() {
        for (text, strong) in [
            ("\"a\"", true),
            ("W/\"a\"", false),
            ("a", false),
            ("\"", false),
        ] {
            assert_eq!(strong_etag(&field(ETAG, text)).is_some(), strong, "{text}");
        }
    }

    #[test]
    fn who_answers_ranges_says_so() {
        for (text, says) in [
            ("bytes", true),
            ("Bytes", true),
            ("none", false),
            ("", false),
        ] {
            assert_eq!(accepts_ranges(&field(ACCEPT_RANGES, text)), says, "{text}");
        }
        assert!(!accepts_ranges(&HeaderMap::new()));
    }

    #[test]
    fn codings() {
        assert!(coding(&field(CONTENT_ENCODING, "gzip")).is_some());
        assert!(coding(&field(CONTENT_ENCODING, "identity")).is_none());
        assert!(coding(&HeaderMap::new()).is_none());
    }
}
