//! Origins that fail while there is a copy.

use std::time::Duration;

use anyhow::{Result, ensure};
use ledge_tests::config::{Config, Upstream};
use ledge_tests::http::{Answer, Method};
use ledge_tests::images::{self, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::script::{Act, Rule};
use ledge_tests::secure::Secure;

use crate::site::{REPOSITORY, blob, is, manifest, noise};

/// Tags are never fresh: every pull would ask the origin.
fn config(addresses: &[std::net::SocketAddr]) -> Config {
    let upstream = Upstream::endpoints("docker.io", addresses).line("fresh = \"0s\"".to_owned());
    Config::only(upstream)
}

/// PEERS 10.
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

/// PEERS 10: nothing is asked of an origin that said 429, for as long as it said.
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

/// Docker Hub's fields, and the structured ones of later drafts: with nothing left of the quota
/// a tag is fresh six times as long.
#[tokio::test]
async fn what_is_fresh_lasts_longer_as_the_quota_runs_out() -> Result<()> {
    let image = images::small(624)?;
    let docker = &[
        ("ratelimit-limit", "100;w=21600"),
        ("ratelimit-remaining", "0;w=21600"),
    ];
    let structured = &[
        ("ratelimit", "\"hourly\";r=0;t=3000"),
        ("ratelimit-policy", "\"hourly\";q=100;w=3600"),
    ];
    let plenty = &[
        ("ratelimit", "\"hourly\";r=99;t=3000"),
        ("ratelimit-policy", "\"hourly\";q=100;w=3600"),
    ];
    let pull = async |fields: &'static [_], questions: usize| {
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", &image);
        origin.rule(Rule::new("", Act::Fields(fields)));
        let upstream = Upstream::new("docker.io", origin.address());
        let config = Config::only(upstream.line("fresh = \"4s\"".to_owned()));
        let ledge = Ledge::start(&config).await?;
        is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
        // Its time passes: that is what is waited for.
        tokio::time::sleep(Duration::from_secs(5)).await;
        origin.forget();
        is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
        assert_eq!(origin.seen().len(), questions, "{fields:?}");
        anyhow::Ok(())
    };
    let all = futures::future::try_join3(pull(docker, 0), pull(structured, 0), pull(plenty, 1));
    all.await.map(drop)
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

fn is_stale(answer: &Answer, object: &Object) -> Result<()> {
    is(answer, object)?;
    let said = answer.header("cache-status");
    ensure!(said == "ledge; hit; detail=stale", "'{said}'");
    Ok(())
}

/// PEERS 10: Harbor's own token service was down, and so was every mirror of it.
#[tokio::test]
async fn the_copy_is_served_when_the_token_service_fails() -> Result<()> {
    let image = images::small(625)?;
    for act in [Act::Status(500, ""), Act::Later(429, 60), Act::HangUp] {
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", &image);
        origin.authenticate(bearer(&origin, None));
        let ledge = Ledge::start(&config(&[origin.address()])).await?;
        is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
        origin.rule(Rule::new("/token", act));
        origin.revoke();
        is_stale(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
        origin.behave();
    }
    Ok(())
}

/// PEERS 10.
#[tokio::test]
async fn the_copy_is_served_when_the_origin_s_certificate_expires() -> Result<()> {
    let image = images::small(626)?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let secure = Secure::start(origin.address()).await?;
    let [certificate, key] = secure.identity();
    let upstream = Upstream::at("docker.io", &secure.url())
        .line("fresh = \"0s\"".to_owned())
        .line(format!("ca_file = \"{}\"", secure.authority().display()))
        .line(format!(
            "client_certificate = \"{}\"",
            certificate.display()
        ))
        .line(format!("client_key = \"{}\"", key.display()));
    let config = Config::only(upstream);
    let ledge = Ledge::start(&config).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    secure.expire();
    // A connection from before may still take a request.
    let expired = async {
        loop {
            let answer = ledge.get(&manifest("v1")).fetch().await?;
            is(&answer, image.root())?;
            if is_stale(&answer, image.root()).is_ok() {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), expired).await??;
    origin.forget();
    let cold = ledge.get(&blob(&image.blobs[0].digest)).fetch().await?;
    assert_eq!(
        (cold.status, origin.seen().len()),
        (502, 0),
        "{}",
        cold.text()
    );
    Ok(())
}

#[tokio::test]
async fn a_copy_serves_for_as_long_as_is_configured() -> Result<()> {
    let image = images::small(627)?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let upstream = Upstream::new("docker.io", origin.address());
    let upstream = upstream.line("fresh = \"0s\"\nstale_if_error = \"0s\"".to_owned());
    let config = Config::only(upstream);
    let ledge = Ledge::start(&config).await?;
    let tags = format!("/v2/{REPOSITORY}/tags/list");
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    assert_eq!(ledge.get(&tags).fetch().await?.status, 200);
    // It has to be older than nothing.
    tokio::time::sleep(Duration::from_secs(2)).await;
    origin.rule(Rule::new("", Act::Status(500, "")));
    for path in [manifest("v1"), tags] {
        let answer = ledge.get(&path).fetch().await?;
        assert_eq!(answer.status, 502, "{path}: {}", answer.text());
    }
    // What a digest means needs nobody's word.
    let digest = manifest(&image.root().digest);
    is(&ledge.get(&digest).fetch().await?, image.root())
}

fn bearer(origin: &Origin, credentials: Option<&str>) -> Auth {
    Auth::Bearer {
        realm: origin.url("/token"),
        credentials: credentials.map(str::to_owned),
        expires_in: 300,
    }
}

/// PEERS 21: after a fresh token, and from a token service that gives none. Nobody is asked for
/// credentials of their own: the origin's challenge stays here.
#[tokio::test]
async fn a_no_after_a_fresh_token_is_an_answer() -> Result<()> {
    let image = images::small(628)?;
    for (status, code) in [(401, "UNAUTHORIZED"), (403, "DENIED")] {
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", &image);
        origin.authenticate(bearer(&origin, None));
        let ledge = Ledge::start(&config(&[origin.address()])).await?;
        is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
        origin.revoke();
        origin.forget();
        if status == 401 {
            origin.authenticate(bearer(&origin, Some("some:body")));
        } else {
            // The first 401 leads to a token, which opens nothing.
            let no = Rule::new("/v1", Act::Status(403, "{}"));
            origin.rule(Rule::new("/v1", Act::Fields(&[])).times(1));
            origin.rule(no);
        }
        for request in [ledge.get(&manifest("v1")), ledge.head(&manifest("v1"))] {
            let answer = request.fetch().await?;
            assert_eq!(answer.status, status, "{}", answer.text());
            assert_eq!(answer.header("www-authenticate"), "");
            assert_eq!(answer.header("cache-status"), "");
            if !answer.body.is_empty() {
                assert_eq!(answer.code(), code);
            }
        }
        assert_ne!(origin.count(&Method::GET, "/token"), 0);
    }
    Ok(())
}

/// PEERS 21: its 401, 403 and 404 are answers and no failures: no stale copy then.
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
