//! What a client gets is what the origin has, no other bytes and no more than it asked for.

use anyhow::{Context, Result};
use ledge_tests::http::Method;
use ledge_tests::images::{self, Image, OCI_INDEX, OCI_MANIFEST, Object};
use ledge_tests::script::{Act, Rule};

use crate::site::{Site, blob, error, is, manifest, noise};

/// PEERS 12: odd white space, fields that nobody knows, twins, and entries that are no platform.
#[tokio::test]
async fn manifests_pass_byte_for_byte() -> Result<()> {
    let site = Site::start(&images::small(660)?).await?;
    let config = noise(661, 20);
    site.origin.put_blob("library/app", &config);
    let entry = |platform: &str| {
        format!(
            "{{\"size\" : 3,\t\"digest\":\"{}\",\n\"mediaType\":\"{OCI_MANIFEST}\",\"platform\":{platform}}}",
            noise(662, 3).digest
        )
    };
    let index = format!(
        "\n {{ \"manifests\" : [ {}, {}, {} ] , \"mediaType\":\"{OCI_INDEX}\", \"x\": 1e400,\
         \"schemaVersion\":2, \"schemaVersion\" : 2 }} \r\n",
        entry("{\"architecture\":\"amd64\",\"os\":\"linux\"}"),
        entry("{\"architecture\":\"unknown\",\"os\":\"unknown\"}"),
        entry("{\"architecture\":\"amd64\",\"os\":\"windows\",\"os.version\":\"10\"}"),
    );
    let image = format!(
        "{{\"layers\":[],\"config\":{{\"digest\":\"{}\",\"size\":20,\"mediaType\":\"a/b\"}},\
         \"annotations\":{{\"\u{fc}\":\"\\u00fc\"}},\"schemaVersion\":2}}",
        config.digest
    );
    for (tag, object) in [
        ("index", Object::new(OCI_INDEX, index)),
        ("image", Object::new(OCI_MANIFEST, image)),
    ] {
        site.origin.put_manifest("library/app", tag, &object);
        site.origin
            .put_manifest("library/app", &object.digest, &object);
        for reference in [tag, &object.digest] {
            for accept in ["*/*", OCI_MANIFEST, "text/plain"] {
                let request = site.ledge.get(&manifest(reference));
                let answer = request.header("accept", accept).fetch().await?;
                is(&answer, &object).with_context(|| format!("{tag} {accept}"))?;
                assert_eq!(answer.header("content-type"), object.media_type);
                assert_eq!(answer.header("content-encoding"), "");
            }
        }
    }
    Ok(())
}

/// PEERS 13: a pull of one platform brings that one alone.
#[tokio::test]
async fn of_an_index_only_what_is_asked_for_is_fetched() -> Result<()> {
    let image = images::index(665)?;
    let site = Site::start(&image).await?;
    is(&site.manifest("v1").await?, image.root())?;
    let mine = image.platform();
    is(&site.manifest(&mine.digest).await?, mine)?;
    let layers = image.layers();
    for digest in layers.iter().chain([&image.config()]) {
        assert_eq!(site.blob(digest).await?.status, 200);
    }
    let rest = image.manifests.iter().chain(&image.blobs);
    for object in rest {
        let is_mine = object.digest == mine.digest
            || object.digest == image.root().digest
            || object.digest == image.config()
            || layers.contains(&object.digest);
        let seen = site.origin.seen();
        let asked = seen.iter().any(|seen| seen.path.contains(&object.digest));
        assert!(is_mine || !asked, "{} was fetched", object.digest);
    }
    Ok(())
}

/// PEERS 18: a tag that was only asked for by HEAD, and whose manifest the origin has let go since.
#[tokio::test]
async fn a_head_does_not_name_what_the_origin_has_let_go() -> Result<()> {
    let (old, new) = (images::small(675)?, images::small(676)?);
    let site = Site::start(&old).await?;
    let head = async || site.ledge.head(&manifest("v1")).fetch().await;
    let named = head().await?;
    assert_eq!(named.header("docker-content-digest"), old.root().digest);
    site.origin.put("library/app", "v1", &new);
    let gone = Rule::new(&old.root().digest, Act::Status(404, "{}"));
    site.origin.rule(gone);
    let answer = site.manifest(&old.root().digest).await?;
    error(&answer, 404, "MANIFEST_UNKNOWN")?;
    // Were it named again, clients would go round in a circle for as long as the tag is fresh.
    let named = head().await?;
    assert_eq!(named.status, 200);
    assert_eq!(named.header("docker-content-digest"), new.root().digest);
    is(&site.manifest(&new.root().digest).await?, new.root())
}

/// Asks as clients do: what the tag means, and then for that.
async fn head_then_get(site: &Site, image: &Image) -> Result<()> {
    let head = site.ledge.head(&manifest("v1")).fetch().await?;
    assert_eq!(head.status, 200);
    let digest = head.header("docker-content-digest");
    assert_eq!(digest, image.root().digest);
    is(&site.manifest(digest).await?, image.root())
}

/// PEERS 18: what a HEAD names, a GET has, before and after the tag moves.
#[tokio::test]
async fn what_a_head_names_is_there() -> Result<()> {
    let (old, new) = (images::small(670)?, images::small(671)?);
    let site = Site::start(&old).await?;
    head_then_get(&site, &old).await?;
    site.origin.put("library/app", "v1", &new);
    // Still fresh, and still there.
    head_then_get(&site, &old).await?;
    let layer = &old.blobs[0];
    let head = site.ledge.head(&blob(&layer.digest)).fetch().await?;
    assert_eq!(head.status, 200);
    is(&site.blob(&layer.digest).await?, layer)?;
    // Where the origin has let it go meanwhile, it is here.
    site.origin.down().await?;
    head_then_get(&site, &old).await?;
    assert_eq!(site.origin.count(&Method::GET, &old.root().digest), 1);
    Ok(())
}
