//! The body is read back by a parser that shares nothing with what made it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt, Full, StreamBody};

use super::*;

const OBJECT: &[u8] = b"0123456789--abcdefghij\r\n--klmnop";

type Part = Pin<Box<dyn Body<Data = Bytes, Error = io::Error> + Send>>;

fn whole_parts(bytes: &Range<u64>) -> Part {
    let bytes = &OBJECT[bytes.start as usize..bytes.end as usize];
    Box::pin(Full::new(Bytes::from_static(bytes)).map_err(|never| match never {}))
}

/// A part that comes in these frames, and then ends.
fn frames(frames: Vec<io::Result<&'static [u8]>>) -> Part {
    let frames = frames
        .into_iter()
        .map(|frame| frame.map(|bytes| Frame::data(Bytes::from_static(bytes))));
    Box::pin(StreamBody::new(futures::stream::iter(
        frames.collect::<Vec<_>>(),
    )))
}

fn spans(spans: &[Range<u64>]) -> Vec<Span> {
    let span = |span: &Range<u64>| Span {
        start: span.start,
        end: span.end,
    };
    spans.iter().map(span).collect()
}

fn object(wanted: &[Range<u64>]) -> Multipart<Part> {
    Multipart::new(spans(wanted), OBJECT.len() as u64, |part| {
        whole_parts(&part)
    })
}

async fn bytes_of(body: Multipart<Part>) -> io::Result<Vec<u8>> {
    Ok(body.collect().await?.to_bytes().to_vec())
}

/// A multipart body's parts: header lines, and bytes (RFC 2046, section 5.1.1).
fn parse<'a>(body: &'a [u8], boundary: &str) -> Vec<(Vec<&'a str>, &'a [u8])> {
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body
        .strip_prefix(&delimiter.as_bytes()[2..])
        .expect("a boundary at the start");
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, delimiter.as_bytes()).expect("a boundary behind the part");
        let (part, next) = (&part[..end], &part[end + delimiter.len()..]);
        let head = find(part, b"\r\n\r\n").expect("an empty line behind the header");
        let lines = std::str::from_utf8(&part[..head]).expect("a header is text");
        parts.push((lines.split("\r\n").collect(), &part[head + 4..]));
        rest = next;
    }
    assert_eq!(rest, b"--\r\n", "the end");
    parts
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|at| at == wanted)
}

#[tokio::test]
async fn parts_can_be_read_back() {
    let rows: &[&[Range<u64>]] = &[
        &[0..1, 31..32],
        &[20..30, 0..10],
        &[0..5, 5..10, 7..9],
        &[10..12, 21..26],
    ];
    for wanted in rows {
        for media_type in [None, Some("application/octet-stream")] {
            let mut body = object(wanted);
            if let Some(media_type) = media_type {
                body = body.typed(&HeaderValue::from_static(media_type));
            }
            let (length, content_type) = (body.content_length(), body.content_type());
            let boundary = content_type
                .strip_prefix("multipart/byteranges; boundary=")
                .expect("the type");
            let bytes = bytes_of(body).await.expect("a whole body");
            assert_eq!(bytes.len() as u64, length, "{wanted:?}");
            let parts = parse(&bytes, boundary);
            let expected: Vec<_> = wanted
                .iter()
                .map(|span| &OBJECT[span.start as usize..span.end as usize])
                .collect();
            let found: Vec<_> = parts.iter().map(|(_, bytes)| *bytes).collect();
            assert_eq!(found, expected, "{wanted:?}");
            for ((lines, _), span) in parts.iter().zip(*wanted) {
                let range = format!("Content-Range: bytes {}-{}/32", span.start, span.end - 1);
                let typed = media_type.map(|said| format!("Content-Type: {said}"));
                let expected: Vec<_> = typed.into_iter().chain([range]).collect();
                assert_eq!(*lines, expected, "{wanted:?}");
            }
        }
    }
}

#[test]
fn no_two_boundaries_are_alike() {
    let (one, other) = (boundary(), boundary());
    assert_ne!(one, other);
    for boundary in [one, other] {
        assert_eq!(boundary.len(), 32);
        assert!(boundary.bytes().all(|b| b.is_ascii_hexdigit()));
    }
}

#[tokio::test]
async fn one_part_is_open_at_a_time() {
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = opened.clone();
    let mut body = Multipart::new(spans(&[0..1, 2..3, 4..5]), 32, move |part| {
        counter.fetch_add(1, Ordering::Relaxed);
        whole_parts(&part)
    });
    // A header, a byte; a header, a byte; …
    for (opened_by_then, part) in [1, 1, 2, 2, 3, 3, 3].into_iter().enumerate() {
        let frame = body.frame().await.expect("more").expect("no error");
        assert!(frame.is_data());
        assert_eq!(opened.load(Ordering::Relaxed), part, "{opened_by_then}");
    }
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_part_that_is_not_what_was_announced_fails_the_whole() {
    type Frames = fn() -> Vec<io::Result<&'static [u8]>>;
    let rows: [(&str, Frames, ErrorKind); 4] = [
        ("short", || vec![Ok(b"ab")], ErrorKind::UnexpectedEof),
        ("empty", Vec::new, ErrorKind::UnexpectedEof),
        ("long", || vec![Ok(b"ab"), Ok(b"cd")], ErrorKind::Other),
        (
            "failing",
            || vec![Ok(b"ab"), Err(ErrorKind::BrokenPipe.into())],
            ErrorKind::BrokenPipe,
        ),
    ];
    for (what, part, expected) in rows {
        let mut body = Multipart::new(spans(&[0..3, 5..8]), 32, move |_| frames(part()));
        let mut sent = 0;
        let error = loop {
            match body.frame().await.expect("an error before the end") {
                Ok(frame) => sent += frame.into_data().expect("data").len() as u64,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), expected, "{what}");
        assert!(body.frame().await.is_none(), "{what}: nothing behind it");
        assert!(body.content_length() > 0, "{what}: after {sent} bytes");
    }
}
