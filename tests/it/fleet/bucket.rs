//! Objects that nodes keep in one bucket.

use std::fs;

use anyhow::Result;
use ledge_tests::config::Upstream;
use ledge_tests::http::Method;
use ledge_tests::images;
use ledge_tests::origin::Auth;
use ledge_tests::script::{Act, Rule};

use super::{Site, kept, pull};
use crate::site::{blob, hit, is, manifest};

/// PEERS 15: one request for what is cold, none for what is warm.
#[tokio::test]
async fn a_blob_from_the_bucket_costs_one_request_and_then_none() -> Result<()> {
    let image = images::layered(1700, &[3_000_000, 60_000])?;
    let site = Site::start(&image).await?;
    let common = site.all();
    let _first = site.filled(common, &image).await?;

    // Another node knows what the first one learned, and has no bytes.
    let other = common.public(&site.origin).await?;
    site.origin.forget();
    site.s3.forget();
    is(&other.get(&manifest("v1")).fetch().await?, image.root())?;
    assert_eq!(site.s3.seen().len(), 1, "{:?}", site.s3.seen());
    for object in &image.blobs {
        site.s3.forget();
        is(&other.get(&blob(&object.digest)).fetch().await?, object)?;
        let seen = site.s3.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].starts_with("GET "), "{seen:?}");
    }
    site.s3.forget();
    for object in &image.blobs {
        is(&hit(&other, &blob(&object.digest)).await?, object)?;
    }
    assert_eq!(site.s3.seen(), Vec::<String>::new());
    assert_eq!(site.origin.seen().len(), 0, "{:?}", site.origin.seen());
    Ok(())
}

#[tokio::test]
async fn a_range_of_what_the_bucket_has_is_a_range_of_the_bucket() -> Result<()> {
    let image = images::layered(1701, &[3_000_000])?;
    let site = Site::start(&image).await?;
    let common = site.objects();
    let _first = site.filled(common, &image).await?;
    let layer = &image.blobs[0];
    let other = common.public(&site.origin).await?;
    site.origin.forget();
    let request = other
        .get(&blob(&layer.digest))
        .header("range", "bytes=1000000-1000009");
    let answer = request.fetch().await?;
    assert_eq!(answer.status, 206);
    assert_eq!(answer.body, layer.bytes.slice(1_000_000..1_000_010));
    assert_eq!(site.origin.count(&Method::GET, &layer.digest), 0);
    Ok(())
}

#[tokio::test]
async fn what_the_bucket_has_wrong_is_cut_and_then_right() -> Result<()> {
    let image = images::layered(1702, &[400_000])?;
    let site = Site::start(&image).await?;
    let common = site.objects();
    let _first = site.filled(common, &image).await?;
    let layer = &image.blobs[0];
    for object in [layer, image.root()] {
        let (_, hex) = object.digest.split_once(':').expect("a digest");
        let mut wrong = object.bytes.to_vec();
        *wrong.last_mut().expect("some bytes") ^= 1;
        fs::write(site.s3.object(hex)?, wrong)?;
    }

    let other = common.public(&site.origin).await?;
    site.origin.forget();
    // A manifest is verified before its first byte leaves, so nobody sees that it was wrong.
    is(
        &other.get(&manifest(&image.root().digest)).fetch().await?,
        image.root(),
    )?;
    let cut = other.get(&blob(&layer.digest)).fetch().await;
    assert!(cut.is_err(), "its last bytes are wrong");
    assert_eq!(site.origin.count(&Method::GET, &layer.digest), 0);
    is(&other.get(&blob(&layer.digest)).fetch().await?, layer)?;
    assert_eq!(site.origin.count(&Method::GET, &layer.digest), 1);
    // The right bytes take the place of the wrong ones.
    let third = async {
        loop {
            let node = common.public(&site.origin).await?;
            site.origin.forget();
            let answer = node.get(&blob(&layer.digest)).fetch().await;
            if answer.is_ok() && site.origin.count(&Method::GET, &layer.digest) == 0 {
                return is(&answer?, layer);
            }
        }
    };
    tokio::time::timeout(super::SOON, third).await?
}

#[tokio::test]
async fn without_the_bucket_a_node_goes_on() -> Result<()> {
    let image = images::layered(1703, &[50_000, 60_000])?;
    let site = Site::start(&image).await?;
    let common = site.objects();
    site.s3.fail(Some(""));
    let node = common.public(&site.origin).await?;
    pull(&node, &image).await?;
    node.line("going on without the shared objects").await?;
    // What was stored meanwhile is sent when it is back.
    site.s3.fail(None);
    kept(&site.s3, image.blobs.len() + 1).await?;
    Ok(())
}

/// What is in the bucket says nothing of who may have it.
#[tokio::test]
async fn the_bucket_opens_no_private_repository() -> Result<()> {
    let image = images::layered(1704, &[50_000])?;
    let site = Site::start(&image).await?;
    site.origin
        .authenticate(Auth::Basic("me:secret".to_owned()));
    let common = site.all();
    let private = || Upstream::new("docker.io", site.origin.address()).credentials("me", "secret");
    let first = common.node(private()).await?;
    pull(&first, &image).await?;
    kept(&site.s3, image.blobs.len() + 1).await?;
    let other = common.node(private()).await?;
    for object in image.blobs.iter().chain([image.root()]) {
        for kind in ["blobs", "manifests"] {
            let path = format!("/v2/library/other/{kind}/{}", object.digest);
            let answer = other.get(&path).fetch().await?;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        }
    }
    pull(&other, &image).await
}

/// With what it takes to know who may have it, a node needs no origin.
#[tokio::test]
async fn the_origin_may_be_away() -> Result<()> {
    let image = images::layered(1705, &[50_000])?;
    let site = Site::start(&image).await?;
    let common = site.all();
    let _first = site.filled(common, &image).await?;
    let other = common.public(&site.origin).await?;
    site.origin.rule(Rule::new("", Act::HangUp));
    pull(&other, &image).await
}
