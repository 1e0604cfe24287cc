//! What is fetched when a client has got a manifest, before it asks for it.

use std::time::Duration;

use anyhow::Result;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::gate::Gate;
use ledge_tests::http::Method;
use ledge_tests::images::{self, Image, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::registry;
use ledge_tests::script::{Act, Rule};
use serde_json::json;

use crate::site::{REPOSITORY, Site, blob, error, gets, hit, is, manifest, noise};

/// More than what is small.
const LARGE: usize = 3_000_000;

/// Far above what anything here takes.
const SOON: Duration = Duration::from_secs(30);

/// The same origin under another name, of which everything is fetched ahead.
const EAGER: &str = "eager.example";

/// The origin holds the image as `library/app:v1`, and what is wanted of it ahead is said.
async fn site(image: &Image, prefetch: &str) -> Result<Site> {
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", image);
    let eager = Upstream::new(EAGER, origin.address()).line("prefetch = \"all\"".to_owned());
    let config = Config::docker(origin.address()).setting("transfer", prefetch);
    let ledge = Ledge::start(&config.upstream(eager)).await?;
    Ok(Site { origin, ledge })
}

/// A configuration, a small layer and a large one, in the order of a manifest.
fn mixed(seed: u64) -> Result<Image> {
    images::layered(seed, &[50_000, LARGE])
}

/// Of an image the blobs that are small, and those that are not.
fn by_size(image: &Image) -> (Vec<&Object>, Vec<&Object>) {
    let blobs = image.blobs.iter();
    blobs.partition(|blob| blob.bytes.len() <= 1 << 20)
}

/// How often each blob was asked for.
fn counts(origin: &Origin, blobs: &[&Object]) -> Vec<usize> {
    blobs.iter().map(|blob| gets(origin, blob).len()).collect()
}

/// Waits until the origin was asked for each of these.
async fn asked(origin: &Origin, blobs: &[&Object]) -> Result<()> {
    let asked = async {
        while counts(origin, blobs).contains(&0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    Ok(tokio::time::timeout(SOON, asked).await?)
}

/// Waits until the origin has answered for each of these.
async fn fetched(origin: &Origin, blobs: &[&Object]) -> Result<()> {
    asked(origin, blobs).await?;
    origin.idle().await;
    Ok(())
}

/// A manifest of a configuration and these layers, under the tag v1.
fn put_manifest(
    origin: &Origin,
    repository: &str,
    config: &Object,
    layers: &[serde_json::Value],
) -> Object {
    let text = json!({
        "schemaVersion": 2, "mediaType": images::OCI_MANIFEST,
        "config": descriptor(config, "application/vnd.oci.image.config.v1+json"), "layers": layers,
    });
    let object = Object::new(images::OCI_MANIFEST, text.to_string());
    origin.put_manifest(repository, "v1", &object);
    origin.put_manifest(repository, &object.digest, &object);
    object
}

fn descriptor(object: &Object, media_type: &str) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": object.digest, "size": object.bytes.len() })
}

fn layer(object: &Object) -> serde_json::Value {
    descriptor(object, "application/vnd.oci.image.layer.v1.tar+gzip")
}

/// Waits until something else was fetched ahead: whatever else was to be came before it.
async fn something_else(site: &Site, seed: u64) -> Result<()> {
    let other = images::small(seed)?;
    site.origin.put(REPOSITORY, "other", &other);
    let path = format!("/v2/{EAGER}/{REPOSITORY}/manifests/other");
    is(&site.ledge.get(&path).fetch().await?, other.root())?;
    let blobs: Vec<_> = other.blobs.iter().collect();
    fetched(&site.origin, &blobs).await
}

#[tokio::test]
async fn by_default_nothing_is() -> Result<()> {
    let image = mixed(2000)?;
    let site = site(&image, "").await?;
    is(&site.manifest("v1").await?, image.root())?;
    something_else(&site, 2001).await?;
    let blobs: Vec<_> = image.blobs.iter().collect();
    assert_eq!(counts(&site.origin, &blobs), [0, 0, 0]);
    assert_eq!(site.origin.count(&Method::HEAD, "/blobs/"), 0);
    Ok(())
}

#[tokio::test]
async fn what_is_small_is_the_configuration_and_small_layers() -> Result<()> {
    let image = mixed(2010)?;
    let site = site(&image, "prefetch = \"small\"").await?;
    let (small, large) = by_size(&image);
    assert_eq!((small.len(), large.len()), (2, 1));
    is(&site.manifest("v1").await?, image.root())?;
    fetched(&site.origin, &small).await?;
    for object in &small {
        is(&hit(&site.ledge, &blob(&object.digest)).await?, object)?;
    }
    assert_eq!(counts(&site.origin, &small), [1, 1]);
    assert_eq!(counts(&site.origin, &large), [0]);
    is(&site.blob(&large[0].digest).await?, large[0])?;
    // What the manifest lists is shown: nobody asked the origin whether it may be.
    assert_eq!(site.origin.count(&Method::HEAD, "/blobs/"), 0);
    Ok(())
}

/// PEERS 13: all platforms are fetched when one was asked for.
#[tokio::test]
async fn of_an_index_only_the_platform_that_was_asked_for_is() -> Result<()> {
    let image = images::index(2020)?;
    let site = site(&image, "prefetch = \"all\"").await?;
    is(&site.manifest("v1").await?, image.root())?;
    let mine = image.platform();
    is(&site.manifest(&mine.digest).await?, mine)?;
    let parts = |object: &&Object| {
        image.layers().contains(&object.digest) || image.config() == object.digest
    };
    let (mine, others): (Vec<_>, Vec<_>) = image.blobs.iter().partition(parts);
    assert_eq!((mine.len(), others.len()), (2, 4));
    fetched(&site.origin, &mine).await?;
    for object in &mine {
        is(&hit(&site.ledge, &blob(&object.digest)).await?, object)?;
    }
    assert_eq!(counts(&site.origin, &mine), [1, 1]);
    assert_eq!(counts(&site.origin, &others), [0; 4]);
    // The index and one manifest, of four.
    assert_eq!(site.origin.count(&Method::GET, "/manifests/"), 2);
    Ok(())
}

#[tokio::test]
async fn who_pulls_again_or_only_looks_starts_nothing() -> Result<()> {
    let image = mixed(2030)?;
    let site = site(&image, "prefetch = \"all\"").await?;
    let blobs: Vec<_> = image.blobs.iter().collect();
    let head = site.ledge.head(&manifest("v1")).fetch().await?;
    assert_eq!(head.status, 200);
    let part = site.ledge.get(&manifest("v1")).header("range", "bytes=0-9");
    assert_eq!(part.fetch().await?.status, 206);
    assert_eq!(counts(&site.origin, &blobs), [0, 0, 0]);
    // It is stored, and fresh.
    is(&site.manifest("v1").await?, image.root())?;
    is(&site.manifest(&image.root().digest).await?, image.root())?;
    something_else(&site, 2031).await?;
    assert_eq!(counts(&site.origin, &blobs), [0, 0, 0]);
    Ok(())
}

#[tokio::test]
async fn another_mirror_is_not_guessed_for() -> Result<()> {
    let image = mixed(2040)?;
    let region = site(&image, "prefetch = \"all\"").await?;
    let edge = Config::docker(region.ledge.address()).setting("transfer", "prefetch = \"small\"");
    let edge = Ledge::start(&edge).await?;
    is(&edge.get(&manifest("v1")).fetch().await?, image.root())?;
    let (small, large) = by_size(&image);
    fetched(&region.origin, &small).await?;
    for object in &small {
        is(&hit(&edge, &blob(&object.digest)).await?, object)?;
    }
    assert_eq!(counts(&region.origin, &large), [0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_s_transfer_is_never_behind_one() -> Result<()> {
    let image = images::layered(2050, &[LARGE])?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let wanted = noise(2051, 500_000);
    origin.put_blob(REPOSITORY, &wanted);
    let slow = by_size(&image).1[0];
    let gate = Gate::held();
    let rule = Rule::new(&slow.digest, Act::Stall(LARGE / 3, gate.clone()));
    origin.rule(rule.method(Method::GET).times(1));
    let config = Config::docker(origin.address())
        .setting("transfer", "prefetch = \"all\"")
        .setting("limits", "transfers = 1");
    let ledge = Ledge::start(&config).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    asked(&origin, &[slow]).await?;
    // There is one turn, and the gate holds who has it.
    is(&ledge.get(&blob(&wanted.digest)).fetch().await?, &wanted)?;
    gate.release();
    is(&ledge.get(&blob(&slow.digest)).fetch().await?, slow)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_joins_one_that_runs() -> Result<()> {
    let image = images::layered(2060, &[LARGE])?;
    let site = site(&image, "prefetch = \"all\"").await?;
    let layer = by_size(&image).1[0];
    let gate = Gate::held();
    let rule = Rule::new(&layer.digest, Act::Stall(LARGE / 3, gate.clone()));
    site.origin.rule(rule.method(Method::GET));
    is(&site.manifest("v1").await?, image.root())?;
    asked(&site.origin, &[layer]).await?;
    let mut client = site.ledge.get(&blob(&layer.digest)).send().await?;
    assert_eq!(client.headers["cache-status"], "ledge; fwd=miss; collapsed");
    let half = client.at_least(LARGE / 3).await?;
    gate.release();
    let rest = client.rest().await?.body;
    assert_eq!([half, rest].concat(), layer.bytes);
    assert_eq!(counts(&site.origin, &[layer]), [1]);
    assert_eq!(site.origin.count(&Method::HEAD, "/blobs/"), 0);
    Ok(())
}

#[tokio::test]
async fn a_private_blob_that_was_fetched_ahead_is_its_own_repository_s() -> Result<()> {
    let (private, public) = (Origin::start().await?, Origin::start().await?);
    let (user, password) = (registry::USER, registry::PASSWORD);
    private.authenticate(Auth::Basic(format!("{user}:{password}")));
    let (secret, open) = (images::small(2070)?, images::small(2071)?);
    private.put("team/secret", "v1", &secret);
    private.put("team/other", "v1", &open);
    public.put(REPOSITORY, "v1", &open);
    let upstream = Upstream::new("ghcr.io", private.address())
        .credentials(user, password)
        .line("prefetch = \"all\"".to_owned());
    let ledge = Ledge::start(&Config::docker(public.address()).upstream(upstream)).await?;
    let root = ledge.get("/v2/ghcr.io/team/secret/manifests/v1");
    is(&root.fetch().await?, secret.root())?;
    let blobs: Vec<_> = secret.blobs.iter().collect();
    fetched(&private, &blobs).await?;
    for object in &blobs {
        let own = format!("/v2/ghcr.io/team/secret/blobs/{}", object.digest);
        is(&hit(&ledge, &own).await?, object)?;
        for repository in ["ghcr.io/team/other", "library/app", "team/secret"] {
            let path = format!("/v2/{repository}/blobs/{}", object.digest);
            error(&ledge.get(&path).fetch().await?, 404, "BLOB_UNKNOWN")?;
            assert_eq!(ledge.head(&path).fetch().await?.status, 404);
        }
    }
    // One GET let in, with what the manifest's needed; the other upstream is told nothing.
    for object in &blobs {
        let let_in = gets(&private, object);
        let of_secret = let_in
            .iter()
            .filter(|seen| seen.path.contains("team/secret"));
        assert_eq!(of_secret.count(), 1, "{let_in:?}");
    }
    Ok(())
}

#[tokio::test]
async fn layers_that_are_kept_elsewhere_are_left_alone() -> Result<()> {
    let origin = Origin::start().await?;
    let (config, own, foreign) = (noise(2080, 100), noise(2081, 200), noise(2082, 300));
    for object in [&config, &own, &foreign] {
        origin.put_blob(REPOSITORY, object);
    }
    let mut elsewhere = layer(&foreign);
    elsewhere["urls"] = json!([origin.url("/elsewhere")]);
    let image = put_manifest(&origin, REPOSITORY, &config, &[elsewhere, layer(&own)]);
    let settings = Config::docker(origin.address()).setting("transfer", "prefetch = \"all\"");
    let ledge = Ledge::start(&settings).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, &image)?;
    fetched(&origin, &[&config, &own]).await?;
    for object in [&config, &own] {
        is(&hit(&ledge, &blob(&object.digest)).await?, object)?;
    }
    assert_eq!(counts(&origin, &[&foreign]), [0]);
    assert_eq!(origin.count(&Method::GET, "/elsewhere"), 0);
    Ok(())
}

#[tokio::test]
async fn one_that_fails_breaks_nothing() -> Result<()> {
    let image = mixed(2090)?;
    let site = site(&image, "prefetch = \"all\"").await?;
    let blobs: Vec<_> = image.blobs.iter().collect();
    let (large, config) = (by_size(&image).1[0], image.config());
    let missing = r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#;
    for rule in [
        Rule::new(&config, Act::Status(404, missing)),
        Rule::new(&large.digest, Act::Tamper),
    ] {
        site.origin.rule(rule.method(Method::GET).times(1));
    }
    is(&site.manifest("v1").await?, image.root())?;
    fetched(&site.origin, &blobs).await?;
    for failed in [&config, &large.digest] {
        let line = format!("transfer failed, nothing stored digest={failed}");
        site.ledge.line(&line).await?;
    }
    for object in &blobs {
        let again = async {
            loop {
                // Who came while it failed shares that; who comes after it does not.
                let answer = site.blob(&object.digest).await;
                if let Ok(answer) = answer
                    && answer.status == 200
                {
                    return is(&answer, object);
                }
            }
        };
        tokio::time::timeout(SOON, again).await??;
    }
    Ok(())
}
