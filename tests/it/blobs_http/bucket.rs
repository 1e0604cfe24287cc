//! Objects in a bucket.

use anyhow::{Context as _, Result, ensure};
use ledge_tests::gate::Gate;
use ledge_tests::http::Method;
use ledge_tests::images::{self, Image};
use ledge_tests::script::{Act, Rule};
use serde_json::json;

use super::{PART, Site, key};
use crate::ranges::is_multipart;
use crate::site::{REPOSITORY, blob, is, manifest, noise};

/// A layer that goes up in one request, and one of several parts.
fn image(seed: u64) -> Result<Image> {
    // Half of a layer compresses well.
    images::layered(seed, &[300_000, 5 * PART])
}

#[tokio::test]
async fn what_is_pulled_cold_is_stored_and_then_asks_no_origin() -> Result<()> {
    let image = image(6000)?;
    let site = Site::start(&image).await?;
    site.spin.pull(&image).await?;
    for object in image.blobs.iter().chain(&image.manifests) {
        ensure!(site.has(object)?, "{} is not in the bucket", object.digest);
    }
    assert_eq!(site.leftovers()?, Vec::<std::path::PathBuf>::new());
    assert_eq!(site.s3.count("POST", "uploads="), 1, "{:?}", site.s3.seen());
    assert_eq!(
        site.s3.count("PUT", "partNumber="),
        3,
        "{:?}",
        site.s3.seen()
    );

    site.origin.forget();
    site.s3.forget();
    site.spin.pull(&image).await?;
    assert_eq!(site.origin.seen().len(), 0, "{:?}", site.origin.seen());
    let (asked, objects) = (site.s3.seen().len(), image.blobs.len() + 1);
    assert_eq!(asked, objects, "one request each: {:?}", site.s3.seen());
    Ok(())
}

#[tokio::test]
async fn a_warm_object_has_ranges_and_a_header() -> Result<()> {
    let image = image(6001)?;
    let site = Site::start(&image).await?;
    site.spin.pull(&image).await?;
    site.origin.forget();
    let layer = &image.blobs[1];
    let size = layer.bytes.len();
    for (range, start, end) in [
        ("bytes=0-", 0, size),
        ("bytes=7-19", 7, 20),
        ("bytes=-5", size - 5, size),
        (&format!("bytes={}-{}", size - 2, size + 9), size - 2, size),
    ] {
        let answer = site.spin.range(layer, range).fetch().await?;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.body, layer.bytes.slice(start..end), "{range}");
        let said = format!("bytes {start}-{}/{size}", end - 1);
        assert_eq!(answer.header("content-range"), said);
        assert_eq!(answer.header("cache-status"), "ledge; hit");
        assert_eq!(answer.header("surrogate-control"), "");
    }
    // Parts that lie close to each other are one request.
    for (range, spans, asked) in [
        ("bytes=0-1,5-6", vec![(0, 2), (5, 7)], 1),
        (
            "bytes=0-1,4000000-4000009",
            vec![(0, 2), (4_000_000, 4_000_010)],
            2,
        ),
        (
            "bytes=-5,0-1,1-9",
            vec![(size - 5, size), (0, 2), (1, 10)],
            3,
        ),
    ] {
        site.s3.forget();
        let several = site.spin.range(layer, range).fetch().await?;
        is_multipart(&several, layer, &spans).context(range)?;
        assert_eq!(several.header("cache-status"), "ledge; hit");
        assert_eq!(site.s3.count("GET", ""), asked, "{:?}", site.s3.seen());
    }
    let beyond = site
        .spin
        .range(layer, &format!("bytes={size}-"))
        .fetch()
        .await?;
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, format!("bytes */{size}").as_str())
    );
    let header = site.spin.head(&blob(&layer.digest)).fetch().await?;
    assert_eq!(
        (header.status, header.header("content-length")),
        (200, size.to_string().as_str())
    );
    assert_eq!(site.origin.seen().len(), 0, "{:?}", site.origin.seen());
    Ok(())
}

#[tokio::test]
async fn a_range_of_what_is_not_stored_goes_past_the_store() -> Result<()> {
    let image = image(6002)?;
    let site = Site::start(&image).await?;
    let layer = &image.blobs[1];
    let answer = site
        .spin
        .range(layer, "bytes=6000000-6000099")
        .fetch()
        .await?;
    assert_eq!(answer.status, 206);
    assert_eq!(answer.body, layer.bytes.slice(6_000_000..6_000_100));
    assert_eq!(answer.header("cache-status"), "ledge; fwd=miss");
    assert!(!site.has(layer)?);
    // All of it, as containerd asks, is stored.
    let whole = site.spin.range(layer, "bytes=0-").fetch().await?;
    assert_eq!((whole.status, &whole.body), (206, &layer.bytes));
    assert!(site.has(layer)?);
    Ok(())
}

#[tokio::test]
async fn wrong_bytes_reach_nobody_whole_and_leave_nothing() -> Result<()> {
    let image = image(6003)?;
    let site = Site::start(&image).await?;
    for layer in &image.blobs {
        for act in [Act::Tamper, Act::Truncate(layer.bytes.len() / 2)] {
            let rule = Rule::new(&layer.digest, act.clone()).method(Method::GET);
            site.origin.rule(rule.times(1));
            let answer = site.spin.get(&blob(&layer.digest)).fetch().await;
            assert!(answer.is_err(), "{act:?} of {} bytes", layer.bytes.len());
            assert!(!site.has(layer)?, "{act:?} of {} bytes", layer.bytes.len());
        }
    }
    site.spin.pull(&image).await?;
    assert_eq!(site.leftovers()?, Vec::<std::path::PathBuf>::new());
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_fails_costs_no_client_its_bytes() -> Result<()> {
    let image = image(6004)?;
    let site = Site::start(&image).await?;
    is(&site.spin.get(&manifest("v1")).fetch().await?, image.root())?;
    let layer = &image.blobs[1];
    for part in ["partNumber=2", "uploads=1", "POST /cache/blobs"] {
        site.s3.fail(Some(part));
        is(&site.spin.get(&blob(&layer.digest)).fetch().await?, layer)?;
        assert!(!site.has(layer)?, "{part}");
        assert_eq!(
            site.leftovers()?,
            Vec::<std::path::PathBuf>::new(),
            "{part}"
        );
    }
    site.s3.fail(None);
    is(&site.spin.get(&blob(&layer.digest)).fetch().await?, layer)?;
    assert!(site.has(layer)?);
    // While it is away, origins serve what they have.
    let small = &image.blobs[0];
    site.s3.fail(Some(""));
    is(&site.spin.get(&blob(&small.digest)).fetch().await?, small)?;
    let new = images::small(6009)?;
    site.origin.put(REPOSITORY, "v2", &new);
    is(&site.spin.get(&manifest("v2")).fetch().await?, new.root())?;
    assert!(!site.has(new.root())?);
    Ok(())
}

/// It may be a client's own order; then it is stored first, and that way stored.
#[tokio::test]
async fn several_ranges_of_what_is_not_stored_have_it_stored() -> Result<()> {
    let image = image(6010)?;
    let site = Site::start(&image).await?;
    let [small, long] = [0, 1].map(|at| &image.blobs[at]);
    for (layer, range, spans) in [
        (
            small,
            "bytes=-5,0-1",
            vec![(small.bytes.len() - 5, small.bytes.len()), (0, 2)],
        ),
        (
            long,
            "bytes=0-1,4000000-4000009",
            vec![(0, 2), (4_000_000, 4_000_010)],
        ),
    ] {
        let answer = site.spin.range(layer, range).fetch().await?;
        is_multipart(&answer, layer, &spans).context(range)?;
        assert_eq!(answer.header("cache-status"), "ledge; fwd=miss; stored");
        assert!(site.has(layer)?, "{range}");
        assert_eq!(site.origin.count(&Method::GET, &layer.digest), 1, "{range}");
    }
    Ok(())
}

/// Who comes second waits for the first, and gets the object from the bucket.
#[tokio::test]
async fn of_two_that_pull_at_once_one_asks_the_origin() -> Result<()> {
    let image = image(6008)?;
    let site = Site::start(&image).await?;
    let layer = &image.blobs[1];
    let gate = Gate::held();
    let rule = Rule::new(&layer.digest, Act::Stall(1_000_000, gate.clone()));
    site.origin.rule(rule.times(1));
    let mut first = site.spin.get(&blob(&layer.digest)).send().await?;
    let head = first.at_least(500_000).await?;
    let second = tokio::spawn(site.spin.get(&blob(&layer.digest)).fetch());
    // One look was the first one's; the second looks for what it may show, and again before it waits.
    while site.s3.count("GET", &key(layer)) < 3 {
        tokio::task::yield_now().await;
    }
    gate.release();
    let rest = first.rest().await?.body;
    assert_eq!([head, rest].concat(), layer.bytes);
    let second = second.await??;
    is(&second, layer)?;
    assert_eq!(second.header("cache-status"), "ledge; fwd=miss; collapsed");
    assert_eq!(site.origin.count(&Method::GET, &layer.digest), 1);
    Ok(())
}

#[tokio::test]
async fn of_two_that_pull_at_once_one_stores() -> Result<()> {
    let image = image(6005)?;
    let site = Site::with(&image, json!({ "wait_seconds": 0 }), &[]).await?;
    let layer = &image.blobs[1];
    let gate = Gate::held();
    let rule = Rule::new(&layer.digest, Act::Stall(1_000_000, gate.clone()));
    site.origin.rule(rule.times(1));
    let mut first = site.spin.get(&blob(&layer.digest)).send().await?;
    first.at_least(500_000).await?;
    let second = site.spin.get(&blob(&layer.digest)).fetch().await?;
    is(&second, layer)?;
    assert_eq!(second.header("cache-status"), "ledge; fwd=miss");
    assert!(!site.has(layer)?);
    gate.release();
    first.rest().await?;
    assert!(site.has(layer)?);
    assert_eq!(site.s3.count("POST", "uploads="), 1, "{:?}", site.s3.seen());
    Ok(())
}

#[tokio::test]
async fn redirects_of_an_origin_are_followed_and_credentials_stay() -> Result<()> {
    let image = image(6006)?;
    let site = Site::start(&image).await?;
    let layer = &image.blobs[0];
    let elsewhere = format!("/v2/{REPOSITORY}/blobs/{}?signed", layer.digest);
    site.origin
        .rule(Rule::new(&layer.digest, Act::Redirect(site.origin.url(&elsewhere))).times(1));
    is(&site.spin.get(&blob(&layer.digest)).fetch().await?, layer)?;
    assert!(site.has(layer)?);
    let other = &image.blobs[1].digest;
    let circle = format!("/v2/{REPOSITORY}/blobs/{other}");
    site.origin.rule(Rule::new(other, Act::Redirect(circle)));
    let other = site.spin.get(&blob(other)).fetch().await?;
    assert_eq!(other.status, 502, "{}", other.text());
    Ok(())
}

#[tokio::test]
async fn an_empty_object_and_one_of_a_whole_part() -> Result<()> {
    let mut image = images::small(6007)?;
    image.blobs.push(noise(1, 0));
    image.blobs.push(noise(2, PART));
    image.blobs.push(noise(3, PART + 1));
    let site = Site::with(&image, json!({}), &[]).await?;
    site.spin.pull(&image).await?;
    for object in &image.blobs {
        ensure!(site.has(object)?, "{} is not stored", key(object));
    }
    assert_eq!(site.s3.count("POST", "uploads="), 1, "{:?}", site.s3.seen());
    Ok(())
}
