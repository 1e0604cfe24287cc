//! The end of a Ledge that is asked to end, and HTTP/2.

use std::time::Duration;

use anyhow::Result;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::gate::Gate;
use ledge_tests::http::Method;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};
use tokio::net::TcpStream;

use crate::site::{REPOSITORY, Site, blob, is, manifest};

/// Far above what an end without running downloads takes.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_running_download_finishes_and_nobody_new_comes_in() -> Result<()> {
    let image = images::layered(1200, &[2_000_000])?;
    let site = Site::start(&image).await?;
    let (object, gate) = (&image.blobs[0], Gate::held());
    site.origin
        .rule(Rule::new(&object.digest, Act::Stall(100_000, gate.clone())).method(Method::GET));
    let mut download = site.ledge.get(&blob(&object.digest)).send().await?;
    let head = download.at_least(100_000).await?;
    site.ledge.terminate();
    refuses(&site.ledge).await?;
    gate.release();
    let rest = download.rest().await?.body;
    assert!(
        [head, rest].concat() == object.bytes,
        "the download is not whole"
    );
    let status = site.ledge.ended(SOON).await?;
    assert!(status.success(), "{status}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_has_an_end() -> Result<()> {
    let image = images::layered(1210, &[2_000_000])?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let config = Config::default()
        .head("default_upstream = \"docker.io\"\n[server]\ndrain = \"500ms\"")
        .upstream(Upstream::new("docker.io", origin.address()));
    let ledge = Ledge::start(&config).await?;
    let object = &image.blobs[0];
    origin.rule(Rule::new(&object.digest, Act::Stall(100_000, Gate::held())).method(Method::GET));
    let mut download = ledge.get(&blob(&object.digest)).send().await?;
    download.at_least(100_000).await?;
    ledge.terminate();
    ledge.ended(SOON).await?;
    download
        .rest()
        .await
        .expect_err("a download beyond the bound is cut");
    Ok(())
}

#[tokio::test]
async fn an_idle_ledge_ends_at_once() -> Result<()> {
    let image = images::small(1220)?;
    let site = Site::start(&image).await?;
    // An idle kept-alive connection is no reason to stay.
    let _idle = TcpStream::connect(site.ledge.address()).await?;
    // An instance that waits for work is no reason either, and no failure.
    is(&site.manifest("v1").await?, image.root())?;
    site.ledge.terminate();
    let status = site.ledge.ended(SOON).await?;
    assert!(status.success(), "{status}");
    let log = site.ledge.seen_log().join("\n");
    assert!(!log.contains("ERROR"), "{log}");
    Ok(())
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() -> Result<()> {
    let image = images::layered(1230, &[2_000_000])?;
    let site = Site::start(&image).await?;
    for turn in 0..2 {
        let answer = site.ledge.get(&manifest("v1")).http2().fetch().await?;
        is(&answer, image.root())?;
        for object in &image.blobs {
            is(
                &site
                    .ledge
                    .get(&blob(&object.digest))
                    .http2()
                    .fetch()
                    .await?,
                object,
            )?;
        }
        let head = site
            .ledge
            .head(&blob(&image.blobs[0].digest))
            .http2()
            .fetch()
            .await?;
        assert_eq!((head.status, head.body.len()), (200, 0), "{turn}");
    }
    let missing = site
        .ledge
        .get("/v2/library/app/manifests/none")
        .http2()
        .fetch()
        .await?;
    assert_eq!(
        (missing.status, missing.code()),
        (404, "MANIFEST_UNKNOWN".to_owned())
    );
    Ok(())
}

/// Connects until it is refused: closing the listener is the first thing that a
/// drain does, and the signal may not have arrived yet.
async fn refuses(ledge: &Ledge) -> Result<()> {
    let refused = async {
        while TcpStream::connect(ledge.address()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    Ok(tokio::time::timeout(SOON, refused).await?)
}
