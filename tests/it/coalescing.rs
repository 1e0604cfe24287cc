//! One transfer, however many want it.

use anyhow::Result;
use futures::future::try_join_all;
use ledge_tests::gate::Gate;
use ledge_tests::http::Method;
use ledge_tests::images;
use ledge_tests::origin::Auth;
use ledge_tests::script::{Act, Rule};

use crate::site::{Site, blob, hit, is, manifest};

/// A burst: as many clients as a rollout on a small site.
const CLIENTS: usize = 20;

/// PEERS 1.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_cold_gets_are_one_at_the_origin() -> Result<()> {
    let image = images::layered(600, &[2_000_000])?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    for answer in try_join_all((0..CLIENTS).map(|_| site.blob(&object.digest))).await? {
        is(&answer, object)?;
    }
    assert_eq!(site.origin.count(&Method::GET, &object.digest), 1);
    for answer in try_join_all((0..CLIENTS).map(|_| site.manifest("v1"))).await? {
        is(&answer, image.root())?;
    }
    assert_eq!(site.origin.count(&Method::GET, "/manifests/"), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_cold_clients_cost_one_token() -> Result<()> {
    let image = images::layered(650, &[500_000])?;
    let site = Site::start(&image).await?;
    site.origin.authenticate(Auth::Bearer {
        realm: site.origin.url("/token"),
        credentials: None,
        expires_in: 300,
    });
    for answer in try_join_all((0..CLIENTS).map(|_| site.manifest("v1"))).await? {
        is(&answer, image.root())?;
    }
    let object = &image.blobs[0];
    for answer in try_join_all((0..CLIENTS).map(|_| site.blob(&object.digest))).await? {
        is(&answer, object)?;
    }
    assert_eq!(site.origin.count(&Method::GET, "/token"), 1);
    // Once without the token, once with it.
    assert_eq!(site.origin.count(&Method::GET, "/manifests/"), 2);
    assert_eq!(site.origin.count(&Method::GET, &object.digest), 1);
    Ok(())
}

/// PEERS 1 and 2: its bytes come while the rest is on its way.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_during_a_transfer_follows_it() -> Result<()> {
    let image = images::layered(610, &[2_000_000])?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    let (gate, half) = (Gate::held(), object.bytes.len() / 2);
    site.origin
        .rule(Rule::new(&object.digest, Act::Stall(half, gate.clone())).method(Method::GET));
    let first = site.ledge.get(&blob(&object.digest)).send().await?;
    let mut second = site.ledge.get(&blob(&object.digest)).send().await?;
    assert_eq!(first.headers["cache-status"], "ledge; fwd=miss; stored");
    assert_eq!(second.headers["cache-status"], "ledge; fwd=miss; collapsed");
    // The follower gets what is there before the rest is.
    assert_eq!(second.at_least(half).await?, object.bytes.slice(..half));
    gate.release();
    assert_eq!(second.rest().await?.body, object.bytes.slice(half..));
    is(&first.rest().await?, object)?;
    is(&hit(&site.ledge, &blob(&object.digest)).await?, object)?;
    assert_eq!(site.origin.count(&Method::GET, &object.digest), 1);
    Ok(())
}

/// PEERS 3.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_survives_the_client_that_started_it() -> Result<()> {
    let image = images::layered(620, &[2_000_000])?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    let gate = Gate::held();
    site.origin
        .rule(Rule::new(&object.digest, Act::Stall(100_000, gate.clone())).method(Method::GET));
    let mut first = site.ledge.get(&blob(&object.digest)).send().await?;
    first.at_least(1000).await?;
    let second = site.ledge.get(&blob(&object.digest)).send().await?;
    drop(first);
    gate.release();
    is(&second.rest().await?, object)?;
    is(&site.blob(&object.digest).await?, object)?;
    assert_eq!(site.origin.count(&Method::GET, &object.digest), 1);
    Ok(())
}

#[tokio::test]
async fn every_answer_says_whether_it_was_stored() -> Result<()> {
    let image = images::small(640)?;
    let site = Site::start(&image).await?;
    for path in [manifest("v1"), blob(&image.blobs[0].digest)] {
        let cold = site.ledge.get(&path).fetch().await?;
        assert_eq!(
            cold.header("cache-status"),
            "ledge; fwd=miss; stored",
            "{path}"
        );
        hit(&site.ledge, &path).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_tag_is_fetched_with_every_manifest_type_whatever_the_client_accepts() -> Result<()> {
    let image = images::index(630)?;
    let site = Site::start(&image).await?;
    let old = "application/vnd.docker.distribution.manifest.v2+json";
    is(
        &site
            .ledge
            .get(&manifest("v1"))
            .header("accept", old)
            .fetch()
            .await?,
        image.root(),
    )?;
    let seen = site.origin.seen();
    let asked = seen
        .iter()
        .find(|seen| seen.path.ends_with("/manifests/v1"))
        .expect("a request for the tag");
    let accepted: Vec<&str> = asked
        .headers
        .get_all("accept")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let accepted = accepted.join(",");
    for media_type in [
        images::OCI_INDEX,
        images::OCI_MANIFEST,
        old,
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ] {
        assert!(
            accepted.contains(media_type),
            "{media_type} is not in {accepted}"
        );
    }
    Ok(())
}
