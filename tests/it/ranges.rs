//! Ranges of RFC 9110, of blobs that are stored and of blobs that are not.

use anyhow::{Context, Result, ensure};
use ledge_tests::http::Answer;
use ledge_tests::images::{self, Object};

use crate::ahead::once;
use crate::site::{REPOSITORY, Site, blob, error, hit, is};

/// The half-open span of a blob of this size.
type Expected = fn(usize) -> (usize, usize);

/// PEERS 4.
#[tokio::test]
async fn a_range_is_answered_cold_and_warm() -> Result<()> {
    // Each range is asked for twice, of a blob of its own: cold, then warm.
    let cases: Vec<(&str, u64, Expected)> = vec![
        ("bytes=0-", 300, |size| (0, size)),
        ("bytes=0-1", 301, |_| (0, 2)),
        ("bytes=100-199", 302, |_| (100, 200)),
        ("bytes=5000-", 303, |size| (5000, size)),
        ("bytes=-7", 304, |size| (size - 7, size)),
        ("bytes=100-999999999", 305, |size| (100, size)),
        ("bytes=-999999999", 306, |size| (0, size)),
    ];
    let image = images::layered(300, &[40_000; 7])?;
    let site = Site::start(&image).await?;
    for (range, seed, span) in cases {
        let object = &image.blobs[usize::try_from(seed - 300)?];
        for turn in ["cold", "warm"] {
            let what = format!("{turn} {range}");
            let answer = site
                .ledge
                .get(&blob(&object.digest))
                .header("range", range)
                .fetch()
                .await?;
            let (start, end) = span(object.bytes.len());
            assert_eq!(answer.status, 206, "{what}: {}", answer.text());
            assert_eq!(answer.body, object.bytes.slice(start..end), "{what}");
            let expected = format!("bytes {start}-{}/{}", end - 1, object.bytes.len());
            assert_eq!(answer.header("content-range"), expected, "{what}");
        }
        let whole = site.blob(&object.digest).await.context(range)?;
        assert_eq!(whole.digest(), object.digest, "{range}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_range_is_answered_whole() -> Result<()> {
    let image = images::small(310)?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    for range in [
        "bytes=",
        "bytes=x-y",
        "bytes=+5-",
        "bytes=9-2",
        "items=0-1",
        "bytes 0-1",
    ] {
        let answer = site
            .ledge
            .get(&blob(&object.digest))
            .header("range", range)
            .fetch()
            .await?;
        assert_eq!(
            (answer.status, answer.digest()),
            (200, object.digest.clone()),
            "{range}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn several_ranges_are_multipart() -> Result<()> {
    // Each set is asked for twice, of a blob of its own: cold, then warm.
    let sets: [(&str, &[(usize, usize)]); 4] = [
        ("bytes=0-1,10-11", &[(0, 2), (10, 12)]),
        ("bytes=-5,100-199", &[(35_995, 36_000), (100, 200)]),
        // Podman counts the parts: what touches is not joined.
        ("bytes=0-9,10-19,20-29", &[(0, 10), (10, 20), (20, 30)]),
        ("bytes=7-8,999999-,2-3", &[(7, 9), (2, 4)]),
    ];
    let site = Site::start(&images::small(311)?).await?;
    for (seed, (range, spans)) in (1_u8..).zip(sets) {
        let object = Object::new("application/octet-stream", pattern(seed, 36_000));
        site.origin.put_blob(REPOSITORY, &object);
        for turn in ["cold", "warm"] {
            let answer = ranged(&site, &object, range).await?;
            is_multipart(&answer, &object, spans).with_context(|| format!("{turn} {range}"))?;
        }
        // In as many requests as it takes.
        hit(&site.ledge, &blob(&object.digest)).await?;
        once(&site.origin, &object).context(range)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_partial_pull_may_have_1024_ranges() -> Result<()> {
    let site = Site::start(&images::small(313)?).await?;
    let object = Object::new("application/octet-stream", pattern(9, 1024 * 90));
    site.origin.put_blob(REPOSITORY, &object);
    let spans: Vec<_> = (0..1024).map(|n| (n * 90, n * 90 + 40)).collect();
    let ranges = spans
        .iter()
        .map(|(start, end)| format!("{start}-{}", end - 1));
    let field = format!("bytes={}", ranges.collect::<Vec<_>>().join(","));
    for turn in ["cold", "warm"] {
        let answer = ranged(&site, &object, &field).await?;
        is_multipart(&answer, &object, &spans).context(turn)?;
    }
    Ok(())
}

#[tokio::test]
async fn several_ranges_of_which_one_can_be_satisfied_are_one() -> Result<()> {
    let image = images::small(314)?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    for turn in ["cold", "warm"] {
        let answer = ranged(&site, object, "bytes=999999999-,3-5").await?;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (206, &object.bytes[3..6])
        );
        let expected = format!("bytes 3-5/{}", object.bytes.len());
        assert_eq!(answer.header("content-range"), expected, "{turn}");
    }
    Ok(())
}

#[tokio::test]
async fn as_many_bytes_as_the_object_has_are_the_whole() -> Result<()> {
    let image = images::small(315)?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    for range in ["bytes=0-,0-", "bytes=0-9,10-"] {
        is(&ranged(&site, object, range).await?, object).context(range)?;
    }
    Ok(())
}

async fn ranged(site: &Site, object: &Object, range: &str) -> Result<Answer> {
    let request = site.ledge.get(&blob(&object.digest));
    request.header("range", range).fetch().await
}

/// Bytes that differ from place to place, and look like a boundary now and then.
fn pattern(seed: u8, size: usize) -> Vec<u8> {
    let line = format!("\r\n--{seed:x}--");
    let mut bytes: Vec<u8> = (0..size).map(|n| (n / 7 * 31 + n) as u8 ^ seed).collect();
    for at in (0..size.saturating_sub(line.len())).step_by(1000) {
        bytes[at..at + line.len()].copy_from_slice(line.as_bytes());
    }
    bytes
}

/// Fails unless the answer has these parts of the object, each with its header.
pub(crate) fn is_multipart(
    answer: &Answer,
    object: &Object,
    spans: &[(usize, usize)],
) -> Result<()> {
    ensure!(answer.status == 206, "{} {}", answer.status, answer.text());
    ensure!(answer.header("content-range").is_empty());
    ensure!(answer.header("content-length") == answer.body.len().to_string());
    let boundary = answer
        .header("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .context("the content type")?;
    let parts = parts(&answer.body, boundary)?;
    ensure!(parts.len() == spans.len(), "{} parts", parts.len());
    for ((header, bytes), (start, end)) in parts.into_iter().zip(spans) {
        let expected = format!(
            "Content-Type: application/octet-stream\r\nContent-Range: bytes {start}-{}/{}",
            end - 1,
            object.bytes.len()
        );
        ensure!(header == expected, "{header}");
        ensure!(
            bytes == &object.bytes[*start..*end],
            "the bytes of {header}"
        );
    }
    Ok(())
}

/// Header and bytes of each part (RFC 2046, section 5.1.1).
fn parts<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<(&'a str, &'a [u8])>> {
    let delimiter = format!("\r\n--{boundary}");
    let start = &delimiter.as_bytes()[2..];
    let mut rest = body.strip_prefix(start).context("a boundary first")?;
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let (part, behind) = cut(part, delimiter.as_bytes()).context("a boundary behind")?;
        let (header, bytes) = cut(part, b"\r\n\r\n").context("an empty line")?;
        parts.push((std::str::from_utf8(header)?, bytes));
        rest = behind;
    }
    ensure!(rest == b"--\r\n", "{} bytes behind the end", rest.len());
    Ok(parts)
}

fn cut<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..found], &bytes[found + at.len()..]))
}

#[tokio::test]
async fn an_unsatisfiable_range_is_416() -> Result<()> {
    let image = images::small(312)?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    for turn in ["cold", "warm"] {
        unsatisfiable(&site, object).await.context(turn)?;
        assert_eq!(site.blob(&object.digest).await?.digest(), object.digest);
    }
    Ok(())
}

#[tokio::test]
async fn an_empty_blob_has_no_range() -> Result<()> {
    let site = Site::start(&images::small(316)?).await?;
    let object = Object::new("application/octet-stream", "");
    site.origin.put_blob(REPOSITORY, &object);
    for turn in ["cold", "warm"] {
        let answer = ranged(&site, &object, "bytes=0-").await?;
        error(&answer, 416, "RANGE_INVALID").context(turn)?;
        assert_eq!(answer.header("content-range"), "bytes */0", "{turn}");
        is(&site.blob(&object.digest).await?, &object).context(turn)?;
    }
    Ok(())
}

async fn unsatisfiable(site: &Site, object: &Object) -> Result<()> {
    for range in ["bytes=999999999-", "bytes=999999999-9999999999", "bytes=-0"] {
        let answer = site
            .ledge
            .get(&blob(&object.digest))
            .header("range", range)
            .fetch()
            .await?;
        error(&answer, 416, "RANGE_INVALID").context(range)?;
        assert_eq!(
            answer.header("content-range"),
            format!("bytes */{}", object.bytes.len()),
            "{range}"
        );
    }
    Ok(())
}
