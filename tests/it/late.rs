//! Origins that keep a client waiting, in several places at once: an answer leaves in time all
//! the same, and a copy serves where there is one.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::gate::Gate;
use ledge_tests::http::{Answer, Method, Request};
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::script::{Act, Rule};

use crate::site::{REPOSITORY, blob, is, manifest, noise};

/// What a request has until its header, and what each exchange with an origin has: two of them
/// are more. Nine tenths of the first are for the origin, so there is half a second for a copy.
const TIMES: &str = "[limits]\nrequest_timeout = \"5s\"\nupstream_header_timeout = \"4s\"";

/// Tags are never fresh: every pull would ask the origin.
fn config(addresses: &[SocketAddr]) -> Config {
    let upstream = Upstream::endpoints("docker.io", addresses);
    Config::default()
        .head("default_upstream = \"docker.io\"")
        .head(TIMES)
        .upstream(upstream.line("fresh = \"0s\"".to_owned()))
}

fn is_stale(answer: &Answer) -> Result<()> {
    let said = answer.header("cache-status");
    ensure!(
        (answer.status, said) == (200, "ledge; hit; detail=stale"),
        "{} {said:?} {}",
        answer.status,
        answer.text()
    );
    Ok(())
}

/// PEERS 10: two endpoints take longer than a request may, each by its own bound in time.
#[tokio::test]
async fn copies_are_served_in_time_when_no_endpoint_answers() -> Result<()> {
    let (first, second) = (Origin::start().await?, Origin::start().await?);
    let image = images::small(1200)?;
    let gate = Gate::held();
    for origin in [&first, &second] {
        origin.put(REPOSITORY, "v1", &image);
    }
    let ledge = Ledge::start(&config(&[first.address(), second.address()])).await?;
    let tags = format!("/v2/{REPOSITORY}/tags/list");
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    assert_eq!(ledge.get(&tags).fetch().await?.status, 200);
    for origin in [&first, &second] {
        origin.rule(Rule::new("", Act::Hold(gate.clone())));
    }
    let stale = [
        ledge.get(&manifest("v1")),
        ledge.head(&manifest("v1")),
        ledge.get(&tags),
    ];
    let stale = stale.map(async |request: Request| is_stale(&request.fetch().await?));
    let unknown = noise(1201, 10).digest;
    let cold = [
        ledge.get(&manifest("v2")),
        ledge.head(&manifest("v3")),
        ledge.get(&manifest(&unknown)),
        ledge.get(&blob(&image.blobs[0].digest)),
        ledge
            .get(&blob(&image.blobs[1].digest))
            .header("range", "bytes=0-1"),
        ledge.head(&blob(&unknown)),
        ledge.get(&format!("/v2/{REPOSITORY}/referrers/{unknown}")),
    ];
    let cold = cold.map(async |request: Request| {
        let what = format!("{request:?}");
        let answer = request.fetch().await?;
        let text = answer.text();
        // The mirror's own last word, after five seconds, would not say whose fault it is.
        let named = text.contains("docker.io") || text.is_empty();
        ensure!(
            answer.status == 504 && named,
            "{what}: {} {text}",
            answer.status
        );
        anyhow::Ok(())
    });
    futures::try_join!(try_join_all(stale), try_join_all(cold))?;
    gate.release();
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())
}

/// PEERS 10: the token service is asked before the origin, and once more when that says 401.
#[tokio::test]
async fn a_copy_is_served_in_time_when_the_token_service_says_nothing() -> Result<()> {
    let origin = Origin::start().await?;
    let image = images::small(1210)?;
    origin.put(REPOSITORY, "v1", &image);
    origin.authenticate(Auth::Bearer {
        realm: origin.url("/token"),
        credentials: None,
        expires_in: 1,
    });
    let ledge = Ledge::start(&config(&[origin.address()])).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    // The token's time passes: that is what is waited for.
    tokio::time::sleep(Duration::from_secs(2)).await;
    origin.rule(Rule::new("/token", Act::Hold(Gate::held())));
    origin.forget();
    let answer = ledge.get(&manifest("v1")).fetch().await?;
    is(&answer, image.root())?;
    is_stale(&answer)?;
    assert_eq!(origin.count(&Method::GET, "/token"), 2);
    Ok(())
}

/// PEERS 10: a HEAD says that the tag moved, and what it means now never comes.
#[tokio::test]
async fn a_copy_is_served_in_time_when_the_new_manifest_does_not_come() -> Result<()> {
    let (old, new) = (images::small(1220)?, images::small(1221)?);
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &old);
    let ledge = Ledge::start(&config(&[origin.address()])).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, old.root())?;
    origin.put(REPOSITORY, "v1", &new);
    let gate = Gate::held();
    let stall = Act::Stall(10, gate.clone());
    origin.rule(Rule::new(&new.root().digest, stall).method(Method::GET));
    let answer = ledge.get(&manifest("v1")).fetch().await?;
    is(&answer, old.root())?;
    is_stale(&answer)?;
    assert_eq!(origin.count(&Method::GET, &new.root().digest), 1);
    gate.release();
    // It is asked again soon, and then the tag means what it means now.
    let moved = async {
        while ledge.get(&manifest("v1")).fetch().await?.digest() != new.root().digest {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    let bound = Duration::from_secs(60);
    tokio::time::timeout(bound, moved)
        .await
        .context("it never moves")?
}
