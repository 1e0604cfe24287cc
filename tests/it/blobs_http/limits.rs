//! What a platform allows, and what is refused at start.

use anyhow::{Context as _, Result};
use ledge_tests::http;
use ledge_tests::images;
use serde_json::{Value, json};

use super::{PART, Site};
use crate::site::{blob, is, manifest};

/// Far below what is pulled, and above what registry and adapter need: 32 MiB.
const MEMORY: usize = 32 << 20;

#[tokio::test]
async fn a_long_layer_takes_little_memory() -> Result<()> {
    let image = images::layered(6100, &[192 << 20])?;
    let site = Site::with(&image, json!({}), &["--max-memory", &MEMORY.to_string()]).await?;
    site.spin.pull(&image).await?;
    site.spin.pull(&image).await?;
    let memory = site.spin.memory()?;
    println!("an instance had at most {memory} bytes");
    assert!(memory < MEMORY, "{memory}");
    assert_eq!(
        site.origin
            .count(&http::Method::GET, &image.blobs[0].digest),
        1
    );
    Ok(())
}

#[tokio::test]
async fn clients_are_sent_to_the_bucket_for_what_is_long() -> Result<()> {
    let image = images::layered(6101, &[100_000, 3 * PART])?;
    let settings = json!({
        "redirect": { "above_bytes": 1_000_000 },
        "limits": { "response_bytes": 4_000_000, "request_seconds": 30 },
    });
    let site = Site::with(&image, settings, &["--max-response", "4000000"]).await?;
    is(&site.spin.get(&manifest("v1")).fetch().await?, image.root())?;
    let (small, long) = (&image.blobs[0], &image.blobs[1]);
    for _ in 0..2 {
        is(&site.spin.get(&blob(&small.digest)).fetch().await?, small)?;
        let sent = site.spin.get(&blob(&long.digest)).fetch().await?;
        assert_eq!((sent.status, sent.body.len()), (307, 0));
        let there = sent.header("location");
        let path = there
            .strip_prefix(&site.s3.endpoint())
            .context("the bucket")?;
        let address = site.s3.endpoint()["http://".len()..].parse()?;
        let answer = http::get(address, path).fetch().await?;
        assert_eq!((answer.status, &answer.body), (200, &long.bytes));
    }
    assert_eq!(site.origin.count(&http::Method::GET, &long.digest), 1);
    // What a response can have is sent from here, also of what is long.
    let part = site.spin.range(long, "bytes=10-19").fetch().await?;
    assert_eq!((part.status, &part.body), (206, &long.bytes.slice(10..20)));
    // A HEAD is answered here, whatever is long: a URL that is signed for GET takes none.
    site.s3.forget();
    for object in [small, long] {
        let known = site.spin.head(&blob(&object.digest)).fetch().await?;
        let length = object.bytes.len().to_string();
        assert_eq!(
            (known.status, known.header("content-length")),
            (200, &*length)
        );
        assert_eq!(known.header("cache-status"), "ledge; hit");
    }
    assert_eq!(site.s3.count("GET", ""), 0, "{:?}", site.s3.seen());
    Ok(())
}

#[tokio::test]
async fn what_cannot_work_is_refused_with_the_reason() -> Result<()> {
    let image = images::small(6102)?;
    let rows: [(Value, &str); 3] = [
        (
            json!({ "platform": "akamai-functions" }),
            "add \"redirect\"",
        ),
        (
            json!({ "redirects": {} }),
            "unknown field `redirects`, expected one of",
        ),
        (
            json!({ "store": { "kind": "s3" } }),
            "missing field `endpoint`",
        ),
    ];
    for (settings, reason) in rows {
        let site = Site::with(&image, settings, &[]).await?;
        let answer = site.spin.get(&manifest("v1")).fetch().await?;
        assert_eq!(answer.status, 500, "{}", answer.text());
        let line = site.spin.process.line("ledge_blobs cannot be used").await?;
        assert!(line.contains(reason), "{line}");
    }
    Ok(())
}
