//! What came from an upstream with credentials is for those who could fetch it.

use anyhow::Result;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::registry;

use crate::site::{error, is};

mod leaks;

/// PEERS 9.
#[tokio::test]
async fn a_private_blob_is_served_through_its_own_repository_only() -> Result<()> {
    let (private, public) = (Origin::start().await?, Origin::start().await?);
    private.authenticate(Auth::Basic(format!(
        "{}:{}",
        registry::USER,
        registry::PASSWORD
    )));
    let (secret, other, open) = (
        images::small(900)?,
        images::small(901)?,
        images::small(902)?,
    );
    private.put("team/secret", "v1", &secret);
    private.put("team/other", "v1", &other);
    public.put("library/open", "v1", &open);
    let upstream =
        Upstream::new("ghcr.io", private.address()).credentials(registry::USER, registry::PASSWORD);
    let ledge = Ledge::start(&Config::docker(public.address()).upstream(upstream)).await?;

    let object = &secret.blobs[0];
    let through = |repository: &str| format!("/v2/{repository}/blobs/{}", object.digest);
    for path in [
        "/v2/ghcr.io/team/secret/manifests/v1",
        "/v2/ghcr.io/team/other/manifests/v1",
    ] {
        assert_eq!(ledge.get(path).fetch().await?.status, 200);
    }
    is(
        &ledge.get(&through("ghcr.io/team/secret")).fetch().await?,
        object,
    )?;
    private.forget();
    is(
        &ledge.get(&through("ghcr.io/team/secret")).fetch().await?,
        object,
    )?;
    assert!(private.seen().is_empty(), "{:?}", private.seen());

    let root = &secret.root().digest;
    for repository in [
        "ghcr.io/team/other",
        "library/open",
        "docker.io/library/open",
        "docker.io/team/secret",
    ] {
        let blob = ledge.get(&through(repository)).fetch().await?;
        assert_eq!(blob.status, 404, "{repository}: {}", blob.text());
        let manifest = ledge
            .get(&format!("/v2/{repository}/manifests/{root}"))
            .fetch()
            .await?;
        assert_eq!(manifest.status, 404, "{repository}: {}", manifest.text());
        assert_eq!(
            ledge.head(&through(repository)).fetch().await?.status,
            404,
            "{repository}"
        );
    }
    error(
        &ledge.get(&through("ghcr.io/team/other")).fetch().await?,
        404,
        "BLOB_UNKNOWN",
    )
}

#[tokio::test]
async fn the_catalog_lists_what_is_public_and_cached() -> Result<()> {
    let (private, public) = (Origin::start().await?, Origin::start().await?);
    private.authenticate(Auth::Basic(format!(
        "{}:{}",
        registry::USER,
        registry::PASSWORD
    )));
    private.put("team/secret", "v1", &images::small(910)?);
    for (name, seed) in [
        ("library/one", 911),
        ("library/two", 912),
        ("library/never-pulled", 913),
    ] {
        public.put(name, "v1", &images::small(seed)?);
    }
    let upstream =
        Upstream::new("ghcr.io", private.address()).credentials(registry::USER, registry::PASSWORD);
    let ledge = Ledge::start(&Config::docker(public.address()).upstream(upstream)).await?;
    assert_eq!(
        ledge.get("/v2/_catalog").fetch().await?.json()?["repositories"],
        serde_json::json!([])
    );
    for path in ["ghcr.io/team/secret", "library/two", "library/one"] {
        assert_eq!(
            ledge
                .get(&format!("/v2/{path}/manifests/v1"))
                .fetch()
                .await?
                .status,
            200,
            "{path}"
        );
    }
    let listed = ledge.get("/v2/_catalog").fetch().await?.json()?["repositories"].to_string();
    assert!(
        listed.contains("library/one") && listed.contains("library/two"),
        "{listed}"
    );
    assert!(
        !listed.contains("secret") && !listed.contains("never-pulled"),
        "{listed}"
    );
    let page = ledge.get("/v2/_catalog?n=1").fetch().await?;
    assert_eq!(
        page.json()?["repositories"].as_array().map(Vec::len),
        Some(1),
        "{}",
        page.text()
    );
    assert!(
        page.header("link").contains("_catalog?"),
        "{:?}",
        page.headers
    );
    Ok(())
}
