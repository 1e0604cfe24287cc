//! Each client's own credentials decide, and the origin judges them.

use std::time::Duration;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::files;
use ledge_tests::http::{Answer, Method, Request};
use ledge_tests::images::{self, Image, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};

use crate::site::{error, is};

const NAME: &str = "team/secret";
const MANIFEST: &str = "/v2/team/secret/manifests/v1";

/// The header of somebody with a password.
fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(user))
}

fn as_user(request: Request, user: &str) -> Request {
    request.header("authorization", &basic(user))
}

/// Who may pull gets the right bytes.
async fn ann_gets(ledge: &Ledge, path: &str, object: &Object) -> Result<()> {
    is(&as_user(ledge.get(path), "ann:1").fetch().await?, object)
}

fn blob(digest: &str) -> String {
    format!("/v2/{NAME}/blobs/{digest}")
}

/// docker.io is a scripted origin for `ann:1`, and in pass-through.
async fn start(image: &Image, lines: &[&str]) -> Result<(Origin, Ledge)> {
    let origin = Origin::start().await?;
    origin.put(NAME, "v1", image);
    origin.authenticate(Auth::Basic("ann:1".to_owned()));
    let ledge = mirror(&origin, lines).await?;
    Ok((origin, ledge))
}

async fn mirror(origin: &Origin, lines: &[&str]) -> Result<Ledge> {
    let upstream =
        Upstream::new("docker.io", origin.address()).line("access = \"pass-through\"".to_owned());
    let config = Config::only(upstream.lines(lines));
    Ledge::start(&config).await
}

fn is_challenged(answer: &Answer) -> Result<()> {
    error(answer, 401, "UNAUTHORIZED")?;
    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"test\"");
    Ok(())
}

#[tokio::test]
async fn the_origin_says_who_is_let_in() -> Result<()> {
    let image = images::small(1500)?;
    let (origin, ledge) = start(&image, &[]).await?;
    let object = &image.blobs[0];
    is_challenged(&ledge.get("/v2/").fetch().await?)?;
    is_challenged(&ledge.get(MANIFEST).fetch().await?)?;
    let ping = as_user(ledge.get("/v2/"), "ann:1").fetch().await?;
    assert_eq!(ping.status, 200, "{}", ping.text());
    ann_gets(&ledge, MANIFEST, image.root()).await?;
    ann_gets(&ledge, &blob(&object.digest), object).await?;
    let first = origin
        .seen()
        .into_iter()
        .find(|seen| seen.method == Method::GET && seen.path == MANIFEST);
    assert_eq!(
        first.map(|seen| seen.header("authorization").to_owned()),
        Some(basic("ann:1"))
    );

    // All of it is stored now, and nobody else gets any of it.
    let root = &image.root().digest;
    for user in [None, Some("ann:2"), Some("bob:1")] {
        for path in [
            MANIFEST.to_owned(),
            format!("/v2/{NAME}/manifests/{root}"),
            blob(&object.digest),
            format!("/v2/{NAME}/tags/list"),
            format!("/v2/{NAME}/referrers/{root}"),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let request = Request::new(method.clone(), ledge.address(), &path)
                    .header("range", "bytes=0-1");
                let request = match user {
                    Some(user) => as_user(request, user),
                    None => request,
                };
                let answer = request.fetch().await?;
                assert_eq!(answer.status, 401, "{user:?} {method} {path}");
                assert_eq!(answer.header("www-authenticate"), "Basic realm=\"test\"");
                assert_eq!(answer.header("docker-content-digest"), "");
            }
        }
    }
    assert_eq!(origin.count(&Method::GET, &object.digest), 1);
    Ok(())
}

#[tokio::test]
async fn what_the_origin_said_is_remembered_for_its_time() -> Result<()> {
    let image = images::small(1501)?;
    let (origin, ledge) = start(&image, &["allowed_for = \"3s\"", "fresh = \"1h\""]).await?;
    let pull = async || {
        ann_gets(&ledge, MANIFEST, image.root()).await?;
        for object in &image.blobs {
            ann_gets(&ledge, &blob(&object.digest), object).await?;
        }
        anyhow::Ok(())
    };
    pull().await?;
    // A HEAD for the tag opened the repository, and each object was fetched once.
    assert_eq!(origin.count(&Method::HEAD, ""), 1, "{:?}", origin.seen());
    origin.forget();
    pull().await?;
    assert_eq!(origin.seen().len(), 0);
    origin.authenticate(Auth::Basic("ann:2".to_owned()));
    // It is remembered no longer once so much time has passed: that is what is waited for.
    tokio::time::sleep(Duration::from_secs(4)).await;
    is_challenged(&as_user(ledge.get(MANIFEST), "ann:1").fetch().await?)
}

#[tokio::test]
async fn what_passes_no_more_opens_nothing() -> Result<()> {
    let image = images::layered(1507, &[50_000, 60_000])?;
    let (origin, ledge) = start(&image, &["fresh = \"1h\""]).await?;
    let get = |path: &str| as_user(ledge.get(path), "ann:1").fetch();
    is(&get(MANIFEST).await?, image.root())?;
    origin.authenticate(Auth::Basic("ann:2".to_owned()));
    // It is still remembered, and what is stored is served.
    is(&get(MANIFEST).await?, image.root())?;
    // Until it is shown to the origin, for what is not stored.
    is_challenged(&get(&blob(&image.blobs[0].digest)).await?)?;
    is_challenged(&get(MANIFEST).await?)?;
    let again = as_user(ledge.get(&blob(&image.blobs[0].digest)), "ann:2");
    is(&again.fetch().await?, &image.blobs[0])
}

#[tokio::test]
async fn a_crowd_with_one_token_asks_once() -> Result<()> {
    let image = images::small(1502)?;
    let (origin, ledge) = start(&image, &[]).await?;
    let pulls = (0..300).map(|_| as_user(ledge.get(MANIFEST), "ann:1").fetch());
    for answer in try_join_all(pulls).await? {
        is(&answer, image.root())?;
    }
    assert_eq!(origin.count(&Method::HEAD, MANIFEST), 1);
    assert_eq!(origin.count(&Method::GET, MANIFEST), 1);
    origin.forget();
    let strangers = (0..300).map(|_| as_user(ledge.get(MANIFEST), "eve:1").fetch());
    for answer in try_join_all(strangers).await? {
        is_challenged(&answer)?;
    }
    let typos =
        (0..300).map(|_| as_user(ledge.get("/v2/team/secret/manifests/v2"), "ann:1").fetch());
    for answer in try_join_all(typos).await? {
        error(&answer, 404, "MANIFEST_UNKNOWN")?;
    }
    assert_eq!(origin.seen().len(), 2, "{:?}", origin.seen());
    Ok(())
}

#[tokio::test]
async fn one_who_is_let_into_a_repository_is_not_let_into_another() -> Result<()> {
    let (origin, image) = (Origin::start().await?, images::small(1503)?);
    let token = |realm: String| Auth::Bearer {
        realm,
        credentials: Some("ann:1".to_owned()),
        expires_in: 300,
    };
    origin.put(NAME, "v1", &image);
    origin.put("team/other", "v1", &images::small(1504)?);
    origin.authenticate(token(origin.url("/token")));
    let ledge = mirror(&origin, &[]).await?;
    let challenge = ledge.get(MANIFEST).fetch().await?;
    assert_eq!(challenge.status, 401);
    let asked = challenge.header("www-authenticate");
    assert!(
        asked.contains("/token") && asked.contains("repository:team/secret:pull"),
        "{asked}"
    );

    // The client asks the origin's token service itself.
    let path = "/token?service=test&scope=repository:team/secret:pull";
    let given = as_user(ledge_tests::http::get(origin.address(), path), "ann:1")
        .fetch()
        .await?;
    let bearer = format!(
        "Bearer {}",
        given.json()?["token"].as_str().unwrap_or_default()
    );
    let through = |path: &str| ledge.get(path).header("authorization", &bearer).fetch();
    is(&through(MANIFEST).await?, image.root())?;
    let object = &image.blobs[0];
    is(&through(&blob(&object.digest)).await?, object)?;
    let other = |digest: &str| format!("/v2/team/other/blobs/{digest}");
    let answer = through(&other(&object.digest)).await?;
    assert_ne!(answer.status, 200, "{}", answer.text());
    Ok(())
}

#[tokio::test]
async fn while_the_origin_is_away_those_it_let_in_are_served() -> Result<()> {
    let image = images::small(1505)?;
    let (origin, ledge) = start(&image, &["fresh = \"0s\"", "negative = \"0s\""]).await?;
    let object = &image.blobs[0];
    is_challenged(&ledge.get("/v2/").fetch().await?)?;
    is_challenged(&ledge.get(MANIFEST).fetch().await?)?;
    ann_gets(&ledge, MANIFEST, image.root()).await?;
    ann_gets(&ledge, &blob(&object.digest), object).await?;
    origin.down().await?;
    let stale = as_user(ledge.get(MANIFEST), "ann:1").fetch().await?;
    is(&stale, image.root())?;
    assert!(
        stale.header("warning").starts_with("111"),
        "{:?}",
        stale.headers
    );
    ann_gets(&ledge, &blob(&object.digest), object).await?;
    // What a client is to show is still said, and who was never let in is not now.
    is_challenged(&ledge.get("/v2/").fetch().await?)?;
    is_challenged(&ledge.get(MANIFEST).fetch().await?)?;
    let stranger = as_user(ledge.get(MANIFEST), "bob:1").fetch().await?;
    error(&stranger, 502, "UNAVAILABLE")
}

#[tokio::test]
async fn nothing_that_a_client_shows_is_logged_or_kept() -> Result<()> {
    let image = images::small(1506)?;
    let (origin, ledge) = start(&image, &[]).await?;
    origin.authenticate(Auth::Basic("ann:hunter2hunter2".to_owned()));
    is(
        &as_user(ledge.get(MANIFEST), "ann:hunter2hunter2")
            .fetch()
            .await?,
        image.root(),
    )?;
    is_challenged(&as_user(ledge.get(MANIFEST), "ann:wrong").fetch().await?)?;
    ledge.terminate();
    ledge.ended(Duration::from_secs(30)).await?;
    let log = ledge.seen_log().join("\n");
    let files = files::under(&ledge.store());
    assert!(files.iter().any(|file| file.ends_with("kv.redb")));
    let kept: Vec<_> = files.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    for secret in [
        "hunter2hunter2",
        &STANDARD.encode("ann:hunter2hunter2"),
        &STANDARD.encode("ann:wrong"),
    ] {
        assert!(!log.contains(secret), "{log}");
        let has = |bytes: &Vec<u8>| {
            bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        };
        assert!(!kept.iter().any(has), "{secret} is on disk");
    }
    Ok(())
}
