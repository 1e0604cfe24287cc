//! The kit against a plain registry: what it measures must be true before Ledge is measured.

use std::time::Duration;

use anyhow::Result;
use ledge_tests::gate::Gate;
use ledge_tests::http::{self, Method};
use ledge_tests::images;
use ledge_tests::link::Speed;
use ledge_tests::origin::Origin;
use ledge_tests::registry::{Access, Registry};
use ledge_tests::relay::Relay;
use ledge_tests::script::{Act, Rule};

#[tokio::test]
async fn the_relay_counts_and_slows() -> Result<()> {
    let origin = Origin::start().await?;
    let image = images::layered(1, &[2 << 20])?;
    origin.put("a/b", "v1", &image);
    let speed = Speed {
        latency: Duration::from_millis(20),
        rate: Some(10_000_000),
    };
    let relay = Relay::start(origin.address(), speed).await?;
    let blob = &image.blobs[0];
    let path = format!("/v2/a/b/blobs/{}", blob.digest);
    let started = tokio::time::Instant::now();
    let answer = http::get(relay.address(), &path).fetch().await?;
    // A handshake and an exchange at 20 ms each way, and the bytes at 10 MB/s
    // less the 20 ms that a link may catch up on.
    let least = Duration::from_millis(80 + blob.bytes.len() as u64 / 10_000 - 20);
    assert!(
        started.elapsed() >= least,
        "{:?} < {least:?}",
        started.elapsed()
    );
    assert_eq!(answer.digest(), blob.digest);
    assert_eq!(
        (relay.connections(), relay.total(), relay.bytes()),
        (1, 1, blob.bytes.len() as u64)
    );
    assert_eq!(relay.requests().get(&("GET".to_owned(), path)), Some(&1));
    Ok(())
}

#[tokio::test]
async fn a_scripted_origin_follows_its_script() -> Result<()> {
    let origin = Origin::start().await?;
    let image = images::small(2)?;
    origin.put("a", "v1", &image);
    let blob = &image.blobs[0];
    let path = format!("/v2/a/blobs/{}", blob.digest);
    let gate = Gate::held();
    for act in [
        Act::Tamper,
        Act::Truncate(100),
        Act::Stall(100, gate.clone()),
        Act::Status(500, "{}"),
    ] {
        origin.rule(Rule::new(&blob.digest, act).times(1));
    }
    let get = || http::get(origin.address(), &path);
    assert_ne!(get().fetch().await?.digest(), blob.digest);
    let mut cut = get().send().await?;
    assert_eq!(cut.at_least(100).await?.len(), 100);
    cut.rest().await.expect_err("the body is cut");
    let mut stalled = get().send().await?;
    let head = stalled.at_least(100).await?;
    gate.release();
    let rest = stalled.rest().await?.body;
    assert_eq!([head, rest].concat(), blob.bytes);
    assert_eq!(get().fetch().await?.status, 500);
    assert_eq!(get().fetch().await?.digest(), blob.digest);
    assert_eq!(origin.count(&Method::GET, &blob.digest), 5);
    Ok(())
}

#[tokio::test]
async fn a_registry_with_passwords_asks_for_them() -> Result<()> {
    let registry = Registry::start(Access::Password).await?;
    registry.push("a/b", "v1", &images::small(3)?).await?;
    assert_eq!(
        http::get(registry.address(), "/v2/a/b/manifests/v1")
            .fetch()
            .await?
            .status,
        401
    );
    Ok(())
}
