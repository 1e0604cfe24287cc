//! Ranges of RFC 9110, of blobs that are stored and of blobs that are not.

use anyhow::{Context, Result};
use ledge_tests::images::{self, Object};

use crate::site::{Site, blob, error};

/// The half-open span of a blob of this size.
type Expected = fn(usize) -> (usize, usize);

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
async fn several_ranges_are_whole_or_multipart() -> Result<()> {
    let image = images::small(311)?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    let answer = site
        .ledge
        .get(&blob(&object.digest))
        .header("range", "bytes=0-1,10-11")
        .fetch()
        .await?;
    match answer.status {
        200 => assert_eq!(answer.digest(), object.digest),
        206 => assert!(
            answer
                .header("content-type")
                .starts_with("multipart/byteranges")
        ),
        other => panic!("{other}: {}", answer.text()),
    }
    Ok(())
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
