//! What a server's answer to a GET says of an object, and the header that a client gets.

use crate::call::{Fields, number, value};
use crate::sent::Sent;
use ledge_core::range::{ByteRange, Span};

/// What the host repeats and takes off where it can (`wit/world.wit`). There is none here.
const FOR_THE_HOST: &str = "surrogate-control";

/// What a server has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The whole object follows, of so many bytes if that is said.
    Whole(Option<u64>),
    /// This part follows, of an object of so many bytes.
    Part(Span, u64),
    /// It has no such object.
    Missing,
    /// Nothing of what was asked for is within the object, whose size it may say.
    Unsatisfiable(Option<u64>),
    /// Something else.
    Other(u16),
    /// Something that contradicts the question.
    Malformed,
}

/// Reads an answer to a GET with `range`, or for the whole.
pub(crate) fn found(status: u16, fields: &Fields, range: Option<ByteRange>) -> Found {
    match status {
        200 => Found::Whole(number(fields, "content-length")),
        206 => part(fields, range).unwrap_or(Found::Malformed),
        404 | 410 => Found::Missing,
        416 if range.is_some() => Found::Unsatisfiable(
            value(fields, "content-range")
                .and_then(|text| digits(text.trim().strip_prefix("bytes */")?)),
        ),
        other => Found::Other(other),
    }
}

/// RFC 9110, section 14.4: `bytes FIRST-LAST/SIZE`, of exactly what was asked for.
fn part(fields: &Fields, range: Option<ByteRange>) -> Option<Found> {
    let text = value(fields, "content-range")?.trim();
    let (span, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last, size) = (digits(first)?, digits(last)?, digits(size)?);
    let span = Span {
        start: first,
        end: last.checked_add(1)?,
    };
    (range?.resolve(size) == Some(span)).then_some(Found::Part(span, size))
}

fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// How an answer came to be, for `Cache-Status` (RFC 9211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Hit,
    Stored,
    /// Somebody else stored it meanwhile.
    Joined,
    Past,
}

/// The header of an answer: the caller's fields, and those that only we can know.
pub(crate) fn header(
    mut fields: Fields,
    way: Way,
    sent: &Sent,
    size: Option<u64>,
) -> (u16, Fields) {
    fields.retain(|(name, _)| name != FOR_THE_HOST);
    fields.push(field("accept-ranges", "bytes"));
    if value(&fields, "cache-status").is_none() {
        fields.push(field("cache-status", way.text()));
    }
    if let Some(length) = sent.length(size) {
        fields.push(field("content-length", &length.to_string()));
    }
    match (sent, size) {
        (Sent::Part(span), Some(size)) => {
            fields.push(field("content-range", &span.content_range(size)));
            (206, fields)
        }
        (Sent::Parts(parts, _), _) => {
            // The object's type is in the parts (RFC 9110, section 15.3.7.2).
            fields.retain(|(name, _)| name != "content-type");
            fields.push(field("content-type", &parts.content_type()));
            (206, fields)
        }
        _ => (200, fields),
    }
}

/// The header of an answer that sends the client elsewhere. What the object is, the answer there says.
pub(crate) fn elsewhere(mut fields: Fields, way: Way, url: &str) -> (u16, Fields) {
    fields.retain(|(name, _)| name != FOR_THE_HOST && name != "content-type");
    if value(&fields, "cache-status").is_none() {
        fields.push(field("cache-status", way.text()));
    }
    fields.push(field("content-length", "0"));
    // The URL is one client's, for a while.
    fields.push(field("cache-control", "no-store"));
    fields.push(field("location", url));
    (307, fields)
}

impl Way {
    const fn text(self) -> &'static str {
        match self {
            Self::Hit => "ledge; hit",
            Self::Stored => "ledge; fwd=miss; stored",
            Self::Joined => "ledge; fwd=miss; collapsed",
            Self::Past => "ledge; fwd=miss",
        }
    }
}

fn field(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ByteRange::{Between, From, Last};
    use ledge_core::range::Parts;

    fn span(start: u64, end: u64) -> Span {
        Span { start, end }
    }

    #[test]
    fn reads_what_servers_answer() {
        type Row<'a> = (u16, &'a [(&'a str, &'a str)], Option<ByteRange>, Found);
        let rows: &[Row<'_>] = &[
            (200, &[("content-length", "5")], None, Found::Whole(Some(5))),
            (200, &[], None, Found::Whole(None)),
            (
                200,
                &[("content-length", "5")],
                Some(From(2)),
                Found::Whole(Some(5)),
            ),
            (
                206,
                &[("content-range", "bytes 2-4/5")],
                Some(From(2)),
                Found::Part(span(2, 5), 5),
            ),
            (
                206,
                &[("Content-Range", "bytes 3-4/5")],
                Some(Last(2)),
                Found::Part(span(3, 5), 5),
            ),
            (
                206,
                &[("content-range", "bytes 1-1/5")],
                Some(Between(1, 1)),
                Found::Part(span(1, 2), 5),
            ),
            // Another part, no size, no range asked for, nonsense.
            (
                206,
                &[("content-range", "bytes 2-3/5")],
                Some(From(2)),
                Found::Malformed,
            ),
            (
                206,
                &[("content-range", "bytes 2-4/*")],
                Some(From(2)),
                Found::Malformed,
            ),
            (
                206,
                &[("content-range", "bytes 0-4/5")],
                None,
                Found::Malformed,
            ),
            (
                206,
                &[("content-range", "bytes 4-2/5")],
                Some(From(2)),
                Found::Malformed,
            ),
            (
                206,
                &[("content-range", "bytes +2-4/5")],
                Some(From(2)),
                Found::Malformed,
            ),
            (
                206,
                &[("content-range", "bytes 0-18446744073709551615/5")],
                Some(From(0)),
                Found::Malformed,
            ),
            (
                206,
                &[("content-type", "multipart/byteranges; boundary=x")],
                Some(From(2)),
                Found::Malformed,
            ),
            (404, &[], None, Found::Missing),
            (410, &[], Some(From(0)), Found::Missing),
            (
                416,
                &[("content-range", "bytes */5")],
                Some(From(9)),
                Found::Unsatisfiable(Some(5)),
            ),
            (416, &[], Some(From(9)), Found::Unsatisfiable(None)),
            (416, &[], None, Found::Other(416)),
            (403, &[], None, Found::Other(403)),
            (500, &[], None, Found::Other(500)),
        ];
        for (status, fields, range, expected) in rows {
            let fields = fields
                .iter()
                .map(|(name, value)| field(name, value))
                .collect();
            assert_eq!(
                found(*status, &fields, *range),
                *expected,
                "{status} {range:?}"
            );
        }
    }

    #[test]
    fn a_header_has_the_caller_s_fields_and_ours() {
        let own = || vec![field("etag", "x"), field("surrogate-control", "max-age=60")];
        let text = |(status, fields): (u16, Fields)| {
            let lines = fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
            (status, lines.collect::<Vec<_>>().join("\n"))
        };
        assert_eq!(
            text(header(own(), Way::Hit, &Sent::Whole, Some(10))),
            (
                200,
                "etag: x\naccept-ranges: bytes\ncache-status: ledge; hit\ncontent-length: 10"
                    .to_owned()
            )
        );
        let mut known = own();
        known.push(field("cache-status", "theirs"));
        assert_eq!(
            text(header(known, Way::Stored, &Sent::Part(span(2, 5)), Some(10))),
            (206, "etag: x\ncache-status: theirs\naccept-ranges: bytes\ncontent-length: 3\ncontent-range: bytes 2-4/10".to_owned())
        );
        let mut typed = own();
        typed.push(field("content-type", "a/b"));
        let spans = vec![span(0, 1), span(5, 6)];
        let several = Sent::Parts(Parts::new("x".to_owned(), 10), spans);
        assert_eq!(
            text(header(typed, Way::Hit, &several, Some(10))),
            (206, "etag: x\naccept-ranges: bytes\ncache-status: ledge; hit\ncontent-length: 85\ncontent-type: multipart/byteranges; boundary=x".to_owned())
        );
        let mut typed = own();
        typed.push(field("content-type", "a/b"));
        assert_eq!(
            text(elsewhere(typed, Way::Hit, "https://b/k?x")),
            (307, "etag: x\ncache-status: ledge; hit\ncontent-length: 0\ncache-control: no-store\nlocation: https://b/k?x".to_owned())
        );
    }
}
