//! When the origin is asked what a tag means, and when it is not.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::http::Method;
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};

use crate::site::{REPOSITORY, is, manifest};

/// docker.io is a scripted origin with an image as `v1`, and has these settings.
async fn start(image: &Image, lines: &[&str]) -> Result<(Origin, Ledge)> {
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", image);
    let upstream = Upstream::new("docker.io", origin.address());
    let config = Config::only(upstream.lines(lines));
    let ledge = Ledge::start(&config).await?;
    Ok((origin, ledge))
}

/// PEERS 11.
#[tokio::test]
async fn ten_thousand_pulls_of_a_fresh_tag_ask_nothing() -> Result<()> {
    let image = images::small(600)?;
    let (origin, ledge) = start(&image, &[]).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    origin.forget();
    let client = async || {
        for _ in 0..500 {
            is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
        }
        anyhow::Ok(())
    };
    try_join_all((0..20).map(|_| client())).await?;
    assert_eq!(origin.seen().len(), 0);
    Ok(())
}

/// PEERS 11.
#[tokio::test]
async fn five_hundred_pulls_at_its_expiry_ask_once() -> Result<()> {
    let image = images::small(601)?;
    let (origin, ledge) = start(&image, &["fresh = \"3s\""]).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    origin.forget();
    // It is not fresh any more once so much time has passed: that is what is waited for.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let pulls = (0..500).map(|_| ledge.get(&manifest("v1")).fetch());
    for answer in try_join_all(pulls).await? {
        is(&answer, image.root())?;
    }
    let seen = origin.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].method, Method::HEAD);
    Ok(())
}

/// PEERS 20: no tag is pinned for ever, and those that move are asked for more often.
#[tokio::test]
async fn each_repository_is_fresh_for_as_long_as_its_rule_says() -> Result<()> {
    let image = images::small(619)?;
    let rule = "[[upstreams.\"docker.io\".freshness]]\nrepository = \"team/**\"\nfresh = \"0s\"";
    let (origin, ledge) = start(&image, &[rule]).await?;
    origin.put("team/a/b", "v1", &image);
    for path in [manifest("v1"), "/v2/team/a/b/manifests/v1".to_owned()] {
        for _ in 0..3 {
            is(&ledge.get(&path).fetch().await?, image.root())?;
        }
    }
    assert_eq!(origin.count(&Method::HEAD, REPOSITORY), 0);
    assert_eq!(origin.count(&Method::HEAD, "team/a/b"), 2);
    Ok(())
}

#[tokio::test]
async fn each_tag_is_fresh_for_as_long_as_its_rule_says() -> Result<()> {
    let image = images::small(602)?;
    let rule = "[[upstreams.\"docker.io\".freshness]]\ntag = \"late*\"\nfresh = \"0s\"";
    let (origin, ledge) = start(&image, &[rule]).await?;
    origin.put(REPOSITORY, "latest", &image);
    for tag in ["v1", "latest"] {
        for _ in 0..3 {
            is(&ledge.get(&manifest(tag)).fetch().await?, image.root())?;
        }
    }
    assert_eq!(origin.count(&Method::HEAD, "/v1"), 0);
    assert_eq!(origin.count(&Method::HEAD, "/latest"), 2);
    assert_eq!(
        origin.count(&Method::GET, "/latest"),
        1,
        "an unchanged digest costs no GET"
    );
    Ok(())
}

/// PEERS 20: a tag moves, and what it meant stays pullable.
#[tokio::test]
async fn a_stale_tag_is_answered_while_the_origin_is_asked() -> Result<()> {
    let (old, new) = (images::small(603)?, images::small(604)?);
    let lines = ["fresh = \"0s\"", "stale_while_revalidate = \"1h\""];
    let (origin, ledge) = start(&old, &lines).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, old.root())?;
    origin.put(REPOSITORY, "v1", &new);
    let stale = ledge.get(&manifest("v1")).fetch().await?;
    is(&stale, old.root())?;
    assert_eq!(stale.header("cache-status"), "ledge; hit; detail=stale");
    assert!(
        stale.header("warning").starts_with("110 "),
        "{}",
        stale.header("warning")
    );
    ensure!(!stale.header("age").is_empty(), "no age");
    let moved = async {
        while ledge.get(&manifest("v1")).fetch().await?.digest() != new.root().digest {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), moved).await??;
    // What it meant before can still be pulled.
    is(
        &ledge.get(&manifest(&old.root().digest)).fetch().await?,
        old.root(),
    )
}

#[tokio::test]
async fn a_client_may_have_the_origin_asked_where_the_operator_allows_it() -> Result<()> {
    let (old, new) = (images::small(605)?, images::small(606)?);
    for allowed in [false, true] {
        let line = format!("client_no_cache = {allowed}");
        let (origin, ledge) = start(&old, &[&line]).await?;
        is(&ledge.get(&manifest("v1")).fetch().await?, old.root())?;
        origin.put(REPOSITORY, "v1", &new);
        let request = ledge.get(&manifest("v1"));
        let answer = request.header("cache-control", "no-cache").fetch().await?;
        is(&answer, if allowed { new.root() } else { old.root() })?;
    }
    Ok(())
}

/// How many clients make a mistake at the same time: a cluster whose deployment has a typo.
const STORM: usize = 200;

/// A storm of wrong requests of each path, twice: those of the first wave come together, those of
/// the second find what is remembered.
async fn storm(ledge: &Ledge, paths: &[String], status: u16) -> Result<()> {
    for path in paths {
        for _ in 0..2 {
            let wrong = (0..STORM).map(|_| ledge.get(path).fetch());
            for answer in try_join_all(wrong).await? {
                ensure!(answer.status == status, "{path}: {}", answer.text());
            }
            let heads = (0..STORM).map(|_| ledge.head(path).fetch());
            for answer in try_join_all(heads).await? {
                ensure!(answer.status == status, "HEAD {path}: {}", answer.status);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_storm_of_typos_is_one_question() -> Result<()> {
    let image = images::small(607)?;
    let (origin, ledge) = start(&image, &[]).await?;
    let paths = [
        manifest("v11"),
        manifest(&images::small(608)?.root().digest),
        crate::site::blob(&image.root().digest),
        "/v2/library/ap/manifests/v1".to_owned(),
        "/v2/library/ap/tags/list".to_owned(),
    ];
    storm(&ledge, &paths, 404).await?;
    for path in &paths {
        let seen = origin.seen();
        let asked = seen.iter().filter(|seen| seen.path.starts_with(path));
        assert_eq!(asked.count(), 1, "{path}: {seen:?}");
    }
    // A digest that is no blob may well be a manifest.
    is(
        &ledge.get(&manifest(&image.root().digest)).fetch().await?,
        image.root(),
    )
}

/// Docker Hub says 401 of repositories that it does not know.
#[tokio::test]
async fn a_storm_on_an_unknown_repository_that_answers_401_is_one_question() -> Result<()> {
    let (origin, ledge) = start(&images::small(611)?, &[]).await?;
    origin.rule(Rule::new("", Act::Status(401, "{}")));
    let digest = images::small(612)?.root().digest.clone();
    let paths = ["manifests/v1", &format!("blobs/{digest}"), "tags/list"];
    let paths = paths.map(|path| format!("/v2/library/nobody/{path}"));
    storm(&ledge, &paths, 401).await?;
    assert_eq!(origin.seen().len(), paths.len(), "{:?}", origin.seen());
    Ok(())
}

#[tokio::test]
async fn what_was_not_there_is_asked_for_again_when_that_is_old() -> Result<()> {
    let image = images::small(609)?;
    let (origin, ledge) = start(&image, &["negative = \"0s\""]).await?;
    assert_eq!(ledge.get(&manifest("v2")).fetch().await?.status, 404);
    origin.put(REPOSITORY, "v2", &image);
    is(&ledge.get(&manifest("v2")).fetch().await?, image.root())
}

#[tokio::test]
async fn lists_are_kept_like_tags() -> Result<()> {
    let image = images::small(610)?;
    let (origin, ledge) = start(&image, &[]).await?;
    origin.offer_referrers();
    let tags = "/v2/library/app/tags/list".to_owned();
    let referrers = format!("/v2/library/app/referrers/{}", image.root().digest);
    for path in [tags, referrers] {
        let first = ledge.get(&path).fetch().await?;
        assert_eq!(first.status, 200, "{path}: {}", first.text());
        assert_eq!(first.header("cache-status"), "ledge; fwd=miss");
        origin.forget();
        let again = ledge.get(&path).fetch().await?;
        assert_eq!(again.header("cache-status"), "ledge; hit");
        assert_eq!(again.text(), first.text());
        assert_eq!(origin.seen().len(), 0, "{path}");
    }
    Ok(())
}
