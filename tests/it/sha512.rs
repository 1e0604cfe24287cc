//! Objects under a SHA-512 digest (OCI image specification 1.1, "Registered algorithms").

use anyhow::Result;
use bytes::Bytes;
use futures::future::try_join_all;
use ledge_tests::digest;
use ledge_tests::http::Method;
use ledge_tests::images::{self, Object};
use ledge_tests::script::{Act, Rule};

use crate::site::{REPOSITORY, Site, blob, hit, is, noise};

/// Clients of one cold object.
const CLIENTS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_sha512_object_is_pulled_like_any_other() -> Result<()> {
    let site = Site::start(&images::small(660)?).await?;
    let layer = sha512(&noise(660, 1_500_000));
    let manifest_of = listing(&layer);
    site.origin.put_blob(REPOSITORY, &layer);
    site.origin.put_manifest(REPOSITORY, "v512", &manifest_of);
    is(&site.manifest("v512").await?, &manifest_of)?;
    for answer in try_join_all((0..CLIENTS).map(|_| fetched(&site, &layer))).await? {
        assert_eq!(answer, layer.bytes);
    }
    let warm = hit(&site.ledge, &blob(&layer.digest)).await?;
    assert_eq!(warm.body, layer.bytes);
    assert_eq!(warm.header("docker-content-digest"), layer.digest);
    assert_eq!(site.origin.count(&Method::GET, &layer.digest), 1);
    Ok(())
}

#[tokio::test]
async fn a_tampered_sha512_object_is_cut() -> Result<()> {
    let site = Site::start(&images::small(670)?).await?;
    let layer = sha512(&noise(670, 1_500_000));
    site.origin.put_blob(REPOSITORY, &layer);
    site.origin
        .rule(Rule::new(&layer.digest, Act::Tamper).times(1));
    site.blob(&layer.digest).await.expect_err("it is cut");
    assert_eq!(fetched(&site, &layer).await?, layer.bytes);
    assert_eq!(site.origin.count(&Method::GET, &layer.digest), 2);
    Ok(())
}

/// The same bytes under their SHA-512 digest.
fn sha512(object: &Object) -> Object {
    Object {
        digest: digest::of_512(&object.bytes),
        ..object.clone()
    }
}

/// A manifest whose only layer is this one.
fn listing(layer: &Object) -> Object {
    let descriptor = serde_json::json!({
        "mediaType": layer.media_type, "digest": layer.digest, "size": layer.bytes.len(),
    });
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": images::OCI_MANIFEST, "config": descriptor, "layers": [descriptor],
    });
    Object::new(images::OCI_MANIFEST, manifest.to_string())
}

async fn fetched(site: &Site, object: &Object) -> Result<Bytes> {
    let answer = site.blob(&object.digest).await?;
    assert_eq!(answer.header("docker-content-digest"), object.digest);
    Ok(answer.body)
}
