//! Transfers that break, and go on while their clients wait on the same connection.

use std::path::PathBuf;

use anyhow::{Context, Result};
use ledge_tests::clients::skopeo::Skopeo;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::files;
use ledge_tests::gate::Gate;
use ledge_tests::http::{Method, Streaming};
use ledge_tests::images::{self, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::script::{Act, Rule};

use crate::site::{REPOSITORY, Site, asked, blob, gets, hit, is, manifest, noise};

/// Several reads of a socket, and several checkpoints of the hash.
pub(crate) const SIZE: usize = 6_000_000;

/// Where most of these break.
pub(crate) const BREAK: usize = 3_500_000;

/// More than a socket takes: a reset behind it comes after the header was read.
const LARGE: usize = 32 << 20;

/// What asks for the rest of an object of which so many bytes are there.
pub(crate) fn rest(from: usize, object: &Object) -> String {
    format!("bytes={from}-{}", object.bytes.len() - 1)
}

/// PEERS 5: what is cut is no whole object.
#[tokio::test]
async fn a_body_that_is_cut_is_resumed_where_it_broke() -> Result<()> {
    let object = noise(1000, SIZE);
    let site = Site::of(&object, |config| config).await?;
    let cuts = [500_000, 2_000_000, 2_000_000];
    for cut in cuts {
        let rule = Rule::new(&object.digest, Act::Truncate(cut)).times(1);
        site.origin.rule(rule);
    }
    is(&site.blob(&object.digest).await?, &object)?;
    let expected = [
        String::new(),
        rest(500_000, &object),
        rest(2_500_000, &object),
        rest(4_500_000, &object),
    ];
    assert_eq!(asked(&site.origin, &object), expected);
    for seen in &gets(&site.origin, &object)[1..] {
        assert_eq!(seen.header("if-range"), format!("\"{}\"", object.digest));
    }
    is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
    assert_eq!(gets(&site.origin, &object).len(), 4);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_reset_is_resumed() -> Result<()> {
    let object = noise(1010, LARGE);
    let site = Site::of(&object, |config| config).await?;
    let reset = LARGE - 1_000_000;
    site.origin
        .rule(Rule::new(&object.digest, Act::Reset(reset)).times(1));
    is(&site.blob(&object.digest).await?, &object)?;
    let asked = asked(&site.origin, &object);
    let [first, second] = asked.as_slice() else {
        anyhow::bail!("{asked:?}")
    };
    assert_eq!(first, "");
    // What was on its way is lost with a reset.
    let from = from(second, &object).context("a range")?;
    assert!((1..=reset).contains(&from), "{second}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_waits_on_the_connection_that_they_have() -> Result<()> {
    let object = noise(1020, SIZE);
    let site = Site::of(&object, |config| config).await?;
    let (gate, first) = broken(&site.origin, &site.ledge, &object).await?;
    let second = site.ledge.get(&blob(&object.digest)).send().await?;
    gate.cut();
    ends_with(first, &object).await?;
    is(&second.rest().await?, &object)?;
    assert_eq!(
        asked(&site.origin, &object),
        [String::new(), rest(BREAK, &object)]
    );
    Ok(())
}

/// A client that has all that the origin sends before the gate is cut.
pub(crate) async fn broken(
    origin: &Origin,
    ledge: &Ledge,
    object: &Object,
) -> Result<(Gate, Streaming)> {
    let gate = Gate::held();
    let rule = Rule::new(&object.digest, Act::Stall(BREAK, gate.clone()));
    origin.rule(rule.method(Method::GET).times(1));
    let mut client = ledge.get(&blob(&object.digest)).send().await?;
    let start = client.at_least(BREAK).await?;
    assert_eq!(start, object.bytes.slice(..BREAK));
    Ok((gate, client))
}

/// The client gets the rest, and its whole answer is the object.
async fn ends_with(client: Streaming, object: &Object) -> Result<()> {
    assert_eq!(client.status, 200);
    assert_eq!(
        client.headers["content-length"],
        object.bytes.len().to_string()
    );
    assert_eq!(client.rest().await?.body, object.bytes.slice(BREAK..));
    Ok(())
}

#[tokio::test]
async fn the_next_endpoint_is_asked_when_the_first_is_down() -> Result<()> {
    let object = noise(1030, SIZE);
    let (first, second) = (Origin::start().await?, Origin::start().await?);
    first.put_blob(REPOSITORY, &object);
    second.put_blob(REPOSITORY, &object);
    let endpoints = [first.address(), second.address()];
    let config = Config::only(Upstream::endpoints("docker.io", &endpoints));
    let ledge = Ledge::start(&config).await?;
    let (_gate, client) = broken(&first, &ledge, &object).await?;
    first.down().await?;
    ends_with(client, &object).await?;
    assert_eq!(asked(&first, &object), [""]);
    assert_eq!(asked(&second, &object), [rest(BREAK, &object)]);
    // Its entity tags are its own.
    assert_eq!(gets(&second, &object)[0].header("if-range"), "");
    is(&hit(&ledge, &blob(&object.digest)).await?, &object)
}

#[tokio::test]
async fn an_origin_may_go_and_come_back_in_the_middle() -> Result<()> {
    let object = noise(1040, SIZE);
    let site = Site::of(&object, |config| config).await?;
    let (_gate, client) = broken(&site.origin, &site.ledge, &object).await?;
    site.origin.down().await?;
    site.ledge.line("a transfer broke, and is resumed").await?;
    site.origin.up().await?;
    ends_with(client, &object).await?;
    assert_eq!(
        asked(&site.origin, &object),
        [String::new(), rest(BREAK, &object)]
    );
    Ok(())
}

#[tokio::test]
async fn an_origin_that_asks_for_patience_gets_it() -> Result<()> {
    let object = noise(1050, SIZE);
    let site = Site::of(&object, |config| config).await?;
    // Nobody waits for an hour: the client would not.
    for act in [
        Act::Truncate(BREAK),
        Act::Later(503, 1),
        Act::Later(429, 1),
        Act::Later(429, 3600),
        Act::Status(500, "{}"),
    ] {
        site.origin.rule(Rule::new(&object.digest, act).times(1));
    }
    is(&site.blob(&object.digest).await?, &object)?;
    let mut expected = vec![rest(BREAK, &object); 6];
    expected[0].clear();
    assert_eq!(asked(&site.origin, &object), expected);
    Ok(())
}

#[tokio::test]
async fn an_origin_that_stands_still_is_asked_again() -> Result<()> {
    let object = noise(1055, SIZE);
    let settings = |config: Config| config.setting("limits", "upstream_idle_timeout = \"1s\"");
    let site = Site::of(&object, settings).await?;
    let (_gate, client) = broken(&site.origin, &site.ledge, &object).await?;
    ends_with(client, &object).await?;
    let expected = [String::new(), rest(BREAK, &object)];
    assert_eq!(asked(&site.origin, &object), expected);
    Ok(())
}

#[tokio::test]
async fn an_object_store_behind_a_redirect_is_resumed_through_the_registry() -> Result<()> {
    let object = noise(1057, SIZE);
    let (registry, bucket) = (Origin::start().await?, Origin::start().await?);
    registry.put_blob(REPOSITORY, &object);
    bucket.put_blob(REPOSITORY, &object);
    let target = bucket.url(&blob(&object.digest));
    registry.rule(Rule::new(&object.digest, Act::Redirect(target)));
    // The URL's signature expires once.
    for act in [Act::Truncate(BREAK), Act::Status(403, "{}")] {
        bucket.rule(Rule::new(&object.digest, act).times(1));
    }
    let upstream = Upstream::new("docker.io", registry.address());
    let config = Config::only(upstream.trusted(&[bucket.address()]));
    let ledge = Ledge::start(&config).await?;
    is(&ledge.get(&blob(&object.digest)).fetch().await?, &object)?;
    let rest = rest(BREAK, &object);
    for origin in [&registry, &bucket] {
        let asked = asked(origin, &object);
        assert_eq!(asked, ["", &rest, &rest]);
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_under_another_tag_is_read_from_its_start() -> Result<()> {
    for (seed, act) in [
        (1060, Act::Etag(Some("\"another\""))),
        (1061, Act::IgnoreRange),
    ] {
        let object = noise(seed, SIZE);
        let site = Site::of(&object, |config| config).await?;
        for act in [Act::Truncate(BREAK), act] {
            site.origin.rule(Rule::new(&object.digest, act).times(1));
        }
        is(&site.blob(&object.digest).await?, &object)?;
        let expected = [String::new(), rest(BREAK, &object)];
        assert_eq!(asked(&site.origin, &object), expected);
    }
    Ok(())
}

#[tokio::test]
async fn another_object_s_rest_is_never_taken_for_it() -> Result<()> {
    let object = noise(1070, SIZE);
    let site = Site::of(&object, |config| config).await?;
    let (gate, client) = broken(&site.origin, &site.ledge, &object).await?;
    let other = Object {
        bytes: noise(1071, SIZE).bytes,
        ..object.clone()
    };
    site.origin.put_blob(REPOSITORY, &other);
    gate.cut();
    client.rest().await.expect_err("it is cut");
    assert_eq!(stored(&site.ledge), Vec::<PathBuf>::new());
    // Nothing of it is served to who comes next, although the first part was right.
    site.origin.put_blob(REPOSITORY, &object);
    is(&site.blob(&object.digest).await?, &object)?;
    let expected = [String::new(), rest(BREAK, &object), String::new()];
    assert_eq!(asked(&site.origin, &object), expected);
    Ok(())
}

/// What is in the store, whole or in part.
fn stored(ledge: &Ledge) -> Vec<PathBuf> {
    ["blobs", "partial"]
        .iter()
        .flat_map(|folder| files::under(&ledge.store().join(folder)))
        .collect()
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_is_renewed() -> Result<()> {
    let object = noise(1080, SIZE);
    let image = images::small(1080)?;
    let site = Site::start(&image).await?;
    site.origin.put_blob(REPOSITORY, &object);
    site.origin.authenticate(Auth::Bearer {
        realm: site.origin.url("/token"),
        credentials: None,
        expires_in: 300,
    });
    is(&site.manifest("v1").await?, image.root())?;
    let (gate, client) = broken(&site.origin, &site.ledge, &object).await?;
    site.origin.revoke();
    gate.cut();
    ends_with(client, &object).await?;
    assert_eq!(site.origin.count(&Method::GET, "/token"), 2);
    let seen: Vec<_> = gets(&site.origin, &object)
        .iter()
        .map(|seen| {
            let token = seen.header("authorization");
            let number = token.split('-').nth(1).unwrap_or_default().to_owned();
            (number, seen.header("range").to_owned())
        })
        .collect();
    let rest = rest(BREAK, &object);
    let expected = [("1", ""), ("1", &rest), ("2", &rest)];
    assert_eq!(
        seen,
        expected.map(|(token, range)| (token.to_owned(), range.to_owned()))
    );
    // The fresh token is everybody's.
    is(&site.blob(&image.blobs[0].digest).await?, &image.blobs[0])?;
    assert_eq!(site.origin.count(&Method::GET, "/token"), 2);
    Ok(())
}

#[tokio::test]
async fn a_client_that_resumes_by_itself_needs_not() -> Result<()> {
    let Some(skopeo) = Skopeo::start()? else {
        return Ok(());
    };
    let image = images::layered(1090, &[3_000_000, 200_000])?;
    let site = Site::start(&image).await?;
    for object in &image.blobs {
        let cut = object.bytes.len() / 2;
        let rule = Rule::new(&object.digest, Act::Truncate(cut));
        site.origin.rule(rule.method(Method::GET).times(1));
    }
    let pulled = skopeo
        .pull(site.ledge.address(), "docker.io/library/app:v1")
        .await?;
    assert_eq!(pulled, Skopeo::expects(&image));
    for object in &image.blobs {
        let rest = rest(object.bytes.len() / 2, object);
        assert_eq!(asked(&site.origin, object), [String::new(), rest]);
    }
    let accesses = site.ledge.accesses().await?;
    let ranged = accesses.iter().filter(|access| access.status == 206);
    assert_eq!(ranged.count(), 0, "{accesses:?}");
    Ok(())
}

/// Where a range starts that goes to the object's end. A Ledge that was restarted does not
/// know yet where that is.
pub(crate) fn from(range: &str, object: &Object) -> Option<usize> {
    if range.is_empty() {
        return Some(0);
    }
    let from = range.strip_prefix("bytes=")?.split('-').next()?;
    let from = from.parse().ok()?;
    [rest(from, object), format!("bytes={from}-")]
        .contains(&range.to_owned())
        .then_some(from)
}

#[tokio::test]
async fn a_manifest_by_digest_is_put_together_and_a_tag_is_not() -> Result<()> {
    let image = images::small(1120)?;
    let site = Site::start(&image).await?;
    let root = image.root();
    let cut = Rule::new(&root.digest, Act::Truncate(100)).times(1);
    site.origin.rule(cut.method(Method::GET));
    is(&site.manifest(&root.digest).await?, root)?;
    assert_eq!(site.origin.count(&Method::GET, &root.digest), 2);
    // Of a tag nobody knows what the second part belongs to.
    site.origin.put_manifest(REPOSITORY, "v2", root);
    let cut = Rule::new("/manifests/v2", Act::Truncate(100)).times(1);
    site.origin.rule(cut.method(Method::GET));
    assert_eq!(site.manifest("v2").await?.status, 502);
    assert_eq!(
        site.origin
            .count(&Method::GET, &manifest("v2")["/v2".len()..]),
        1
    );
    is(&site.manifest("v2").await?, root)
}
