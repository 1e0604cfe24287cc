//! What of an object a client is sent, cut out of its bytes as they pass.

use crate::call::{Fields, value};
use ledge_core::range::{ByteRange, Parts, Selection, Span, select};
use std::ops::Range;

/// Parts of an object that lie no further apart than this come in one request to the store, and what
/// lies between them is thrown away: a request takes as long as so many bytes.
const APART: u64 = 1 << 20;

/// Parts that take more requests to the store than this are answered with the whole object: one request of a client
/// costs no more.
pub(crate) const STRETCHES: usize = 16;

/// What of an object is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Whole,
    Part(Span),
    Parts(Parts, Vec<Span>),
}

/// What of an object of `size` bytes is sent to somebody who wants `ranges`; `None` if nothing of it
/// can be. The parts say which type `fields` have.
pub(crate) fn sent(
    ranges: &[ByteRange],
    size: u64,
    fields: &Fields,
    boundary: impl FnOnce() -> String,
) -> Option<Sent> {
    Some(match select(ranges, size)? {
        Selection::Whole => Sent::Whole,
        Selection::One(span) => Sent::Part(span),
        Selection::Several(spans) => {
            let parts = Parts::new(boundary(), size);
            let parts = match value(fields, "content-type") {
                Some(media_type) => parts.typed(media_type.as_bytes().to_vec()),
                None => parts,
            };
            Sent::Parts(parts, spans)
        }
    })
}

impl Sent {
    /// How many bytes that is, if the object's size is known.
    pub(crate) fn length(&self, size: Option<u64>) -> Option<u64> {
        match self {
            Self::Whole => size,
            Self::Part(span) => Some(span.len()),
            Self::Parts(parts, spans) => Some(parts.length(spans)),
        }
    }

    /// Whether it can be cut out of the object's bytes as they pass once.
    pub(crate) fn is_in_order(&self) -> bool {
        match self {
            Self::Whole | Self::Part(_) => true,
            Self::Parts(_, spans) => spans.is_sorted_by(|one, next| one.end <= next.start),
        }
    }
}

/// Which parts come together, because they lie in order and close to each other: indices.
pub(crate) fn stretches(spans: &[Span]) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let mut start = 0;
    for (n, pair) in (1..).zip(spans.windows(2)) {
        let gap = pair[1].start.checked_sub(pair[0].end);
        if gap.is_none_or(|gap| gap > APART) {
            stretches.push(start..n);
            start = n;
        }
    }
    stretches.push(start..spans.len());
    stretches
}

/// Cuts what is sent out of the bytes that pass.
#[derive(Debug)]
pub(crate) struct Cutter {
    sent: Sent,
    /// The offset of the next byte that passes.
    at: u64,
    /// Which part is next, or under way.
    part: usize,
    /// The first part that is not cut out of these bytes.
    until: usize,
}

impl Cutter {
    pub(crate) const fn new(sent: Sent) -> Self {
        Self {
            sent,
            at: 0,
            part: 0,
            until: usize::MAX,
        }
    }

    /// The next byte that passes is this one of the object, and parts before `until` are cut out of what comes.
    pub(crate) const fn seek(&mut self, at: u64, until: usize) {
        (self.at, self.until) = (at, until);
    }

    /// What of a piece is sent, with what stands before each part.
    pub(crate) fn cut(&mut self, piece: &[u8]) -> Vec<u8> {
        let at = self.at;
        self.at = at.saturating_add(piece.len() as u64);
        match &self.sent {
            Sent::Whole => piece.to_vec(),
            Sent::Part(span) => within(*span, at, piece).to_vec(),
            Sent::Parts(parts, spans) => {
                let mut out = Vec::new();
                let spans = &spans[..self.until.min(spans.len())];
                while let Some(span) = spans.get(self.part).filter(|span| span.start < self.at) {
                    if span.start >= at {
                        out.extend(parts.header(self.part == 0, *span));
                    }
                    out.extend_from_slice(within(*span, at, piece));
                    if span.end > self.at {
                        break;
                    }
                    self.part += 1;
                }
                out
            }
        }
    }

    /// What stands behind the last of the bytes.
    pub(crate) fn end(&self) -> Vec<u8> {
        match &self.sent {
            Sent::Parts(parts, _) => parts.end(),
            _ => Vec::new(),
        }
    }
}

/// What of a piece that starts at `at` lies in a span.
fn within(span: Span, at: u64, piece: &[u8]) -> &[u8] {
    let within = |offset: u64| {
        let offset = usize::try_from(offset.saturating_sub(at));
        offset.unwrap_or(usize::MAX).min(piece.len())
    };
    &piece[within(span.start)..within(span.end)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u64, end: u64) -> Span {
        Span { start, end }
    }

    fn parts(spans: &[(u64, u64)]) -> Sent {
        let spans = spans.iter().map(|(start, end)| span(*start, *end));
        Sent::Parts(Parts::new("b".to_owned(), 10), spans.collect())
    }

    #[test]
    fn a_span_is_cut_out_of_the_pieces() {
        let rows: &[(Span, u64, &[u8])] = &[
            (span(0, 4), 0, b"abcd"),
            (span(1, 3), 0, b"bc"),
            (span(0, 10), 4, b"abcd"),
            (span(0, 5), 4, b"a"),
            (span(6, 100), 4, b"cd"),
            (span(0, 4), 4, b""),
            (span(8, 9), 4, b""),
            (span(0, u64::MAX), u64::MAX - 2, b"ab"),
        ];
        for (span, at, expected) in rows {
            assert_eq!(within(*span, *at, b"abcd"), *expected, "{span:?} {at}");
        }
    }

    #[test]
    fn however_the_bytes_come_the_same_is_cut_out() {
        let object = b"0123456789";
        let rows = [
            (Sent::Whole, "0123456789".to_owned()),
            (Sent::Part(span(3, 7)), "3456".to_owned()),
            (
                parts(&[(0, 1), (1, 4), (9, 10)]),
                "--b\r\nContent-Range: bytes 0-0/10\r\n\r\n0\r\n\
                 --b\r\nContent-Range: bytes 1-3/10\r\n\r\n123\r\n\
                 --b\r\nContent-Range: bytes 9-9/10\r\n\r\n9\r\n--b--\r\n"
                    .to_owned(),
            ),
        ];
        for (sent, expected) in rows {
            assert!(sent.is_in_order());
            assert_eq!(sent.length(Some(10)), Some(expected.len() as u64));
            for length in 1..=object.len() {
                let mut cutter = Cutter::new(sent.clone());
                let pieces = object.chunks(length).map(|piece| cutter.cut(piece));
                let mut out = pieces.collect::<Vec<_>>().concat();
                out.extend(cutter.end());
                assert_eq!(String::from_utf8_lossy(&out), expected, "{length}");
            }
        }
    }

    #[test]
    fn parts_out_of_order_are_cut_out_stretch_by_stretch() {
        let object = b"0123456789";
        for order in [
            &[(7, 9), (0, 2), (2, 4)],
            &[(0, 5), (2, 7), (6, 10)],
            &[(5, 9), (5, 9), (0, 10)],
        ] {
            let sent = parts(order);
            let spans = order.map(|(start, end)| span(start, end));
            for length in 1..=object.len() {
                let mut cutter = Cutter::new(sent.clone());
                let (mut out, mut expected) = (Vec::new(), Vec::new());
                for stretch in stretches(&spans) {
                    let (start, end) = (spans[stretch.start].start, spans[stretch.end - 1].end);
                    cutter.seek(start, stretch.end);
                    for piece in object[start as usize..end as usize].chunks(length) {
                        out.extend(cutter.cut(piece));
                    }
                }
                let Sent::Parts(framing, _) = &sent else {
                    panic!("parts")
                };
                for (n, span) in spans.iter().enumerate() {
                    expected.extend(framing.header(n == 0, *span));
                    expected.extend_from_slice(&object[span.start as usize..span.end as usize]);
                }
                let [out, expected] = [&out, &expected].map(|text| String::from_utf8_lossy(text));
                assert_eq!(out, expected, "{order:?} {length}");
            }
        }
    }

    #[test]
    fn parts_that_lie_close_and_in_order_come_together() {
        let far = APART + 1;
        type Row<'a> = (&'a [Span], &'a [(usize, usize)]);
        let rows: &[Row<'_>] = &[
            (&[span(0, 1), span(1, 2), span(9, 10)], &[(0, 3)]),
            (&[span(8, 9), span(0, 1), span(3, 4)], &[(0, 1), (1, 3)]),
            (&[span(0, 5), span(4, 6)], &[(0, 1), (1, 2)]),
            (&[span(0, 1), span(1 + APART, 2 + APART)], &[(0, 2)]),
            (&[span(0, 1), span(1 + far, 2 + far)], &[(0, 1), (1, 2)]),
        ];
        for (spans, expected) in rows {
            let found = stretches(spans).into_iter();
            let found: Vec<_> = found.map(|one| (one.start, one.end)).collect();
            assert_eq!(found, *expected, "{spans:?}");
        }
        assert!(!parts(&[(8, 9), (0, 1)]).is_in_order());
        assert!(!parts(&[(0, 5), (4, 6)]).is_in_order());
    }

    #[test]
    fn what_is_sent_follows_from_the_ranges() {
        use ByteRange::{From, Last};
        let fields = vec![("content-type".to_owned(), b"a/b".to_vec())];
        let several = Sent::Parts(
            Parts::new("b".to_owned(), 10).typed(b"a/b".to_vec()),
            vec![span(1, 2), span(7, 10)],
        );
        let rows: &[(&[ByteRange], Option<Sent>)] = &[
            (&[], Some(Sent::Whole)),
            (&[Last(3)], Some(Sent::Part(span(7, 10)))),
            (&[From(10)], None),
            (&[From(10), Last(3)], Some(Sent::Part(span(7, 10)))),
            (&[From(10), From(11)], None),
            (&[From(1), Last(3)], Some(Sent::Whole)),
            (&[ByteRange::Between(1, 1), Last(3)], Some(several)),
        ];
        for (ranges, expected) in rows {
            let found = sent(ranges, 10, &fields, || "b".to_owned());
            assert_eq!(found, *expected, "{ranges:?}");
        }
    }
}
