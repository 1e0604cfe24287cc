//! Origins that fail while there is a copy (PEERS.md 10 and 21).

use std::time::Duration;

use anyhow::Result;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::http::Method;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};

use crate::site::{REPOSITORY, blob, is, manifest, noise};

/// Tags are never fresh: every pull would ask the origin.
fn config(addresses: &[std::net::SocketAddr]) -> Config {
    let upstream = Upstream::endpoints("docker.io", addresses).line("fresh = \"0s\"".to_owned());
    Config::default()
        .head("default_upstream = \"docker.io\"")
        .upstream(upstream)
}

#[tokio::test]
async fn the_copy_is_served_when_the_origin_fails_and_says_so() -> Result<()> {
    let image = images::small(620)?;
    for act in [
        Act::Later(429, 60),
        Act::Later(503, 60),
        Act::Status(500, ""),
        Act::Status(502, ""),
        Act::HangUp,
    ] {
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", &image);
        let ledge = Ledge::start(&config(&[origin.address()])).await?;
        is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
        let tags = "/v2/library/app/tags/list";
        assert_eq!(ledge.get(tags).fetch().await?.status, 200);
        origin.rule(Rule::new("", act.clone()));
        let answer = ledge.get(&manifest("v1")).fetch().await?;
        is(&answer, image.root())?;
        assert_eq!(
            answer.header("cache-status"),
            "ledge; hit; detail=stale",
            "{act:?}"
        );
        assert!(answer.header("warning").starts_with("111 "), "{act:?}");
        assert!(!answer.header("age").is_empty(), "{act:?}");
        let list = ledge.get(tags).fetch().await?;
        assert_eq!(
            (list.status, list.header("cache-status")),
            (200, "ledge; hit; detail=stale")
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_origin_that_asked_for_rest_gets_it_while_there_is_a_copy() -> Result<()> {
    let image = images::small(621)?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    origin.put(REPOSITORY, "v2", &image);
    let ledge = Ledge::start(&config(&[origin.address()])).await?;
    for tag in ["v1", "v2"] {
        is(&ledge.get(&manifest(tag)).fetch().await?, image.root())?;
    }
    origin.rule(Rule::new("/v1", Act::Later(429, 60)));
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    origin.forget();
    for tag in ["v1", "v2", "v1", "v2"] {
        is(&ledge.get(&manifest(tag)).fetch().await?, image.root())?;
    }
    assert_eq!(origin.seen().len(), 0, "it asked for a minute's rest");
    // Without a copy somebody has to ask.
    origin.put(REPOSITORY, "v3", &image);
    is(&ledge.get(&manifest("v3")).fetch().await?, image.root())?;
    Ok(())
}

#[tokio::test]
async fn overload_without_a_copy_is_503_and_says_when() -> Result<()> {
    let image = images::small(622)?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let ledge = Ledge::start(&config(&[origin.address()])).await?;
    origin.rule(Rule::new("", Act::Later(429, 77)));
    for path in [manifest("v1"), blob(&image.blobs[0].digest)] {
        let answer = ledge.get(&path).fetch().await?;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text());
        // Seconds may have passed since.
        let seconds: u64 = answer.header("retry-after").parse()?;
        assert!((60..=77).contains(&seconds), "{path}: {seconds}");
    }
    Ok(())
}

/// Its 401, 403 and 404 are answers and no failures: no stale copy then.
#[tokio::test]
async fn a_no_of_the_origin_is_an_answer() -> Result<()> {
    let image = images::small(623)?;
    for (status, code) in [
        (401, "UNAUTHORIZED"),
        (403, "DENIED"),
        (404, "MANIFEST_UNKNOWN"),
    ] {
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", &image);
        let ledge = Ledge::start(&config(&[origin.address()])).await?;
        is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
        origin.rule(Rule::new("/v1", Act::Status(status, "{}")));
        let answer = ledge.get(&manifest("v1")).fetch().await?;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        assert_eq!(answer.header("www-authenticate"), "");
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_fails_time_after_time_is_left_alone_and_comes_back() -> Result<()> {
    let (first, second) = (Origin::start().await?, Origin::start().await?);
    let objects: Vec<_> = (0..12).map(|number| noise(630 + number, 1000)).collect();
    for object in &objects {
        first.put_blob(REPOSITORY, object);
        second.put_blob(REPOSITORY, object);
    }
    first.rule(Rule::new("", Act::Status(500, "")));
    let ledge = Ledge::start(&config(&[first.address(), second.address()])).await?;
    for object in &objects {
        is(&ledge.get(&blob(&object.digest)).fetch().await?, object)?;
    }
    let tries = first.count(&Method::GET, "");
    assert_eq!(tries, 5, "then its circuit is open");
    first.behave();
    // It is asked again beside a request once its wait is over, and is the first again then.
    let recovered = async {
        for number in 0.. {
            let object = noise(700 + number, 1000);
            first.put_blob(REPOSITORY, &object);
            second.put_blob(REPOSITORY, &object);
            is(&ledge.get(&blob(&object.digest)).fetch().await?, &object)?;
            if first.count(&Method::GET, &object.digest) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), recovered).await?
}
