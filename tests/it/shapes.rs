//! The three URL shapes of one mirror, and what names an upstream.

use anyhow::{Context, Result};
use ledge_tests::config::{Config, Upstream};
use ledge_tests::http;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::link::FAST;
use ledge_tests::origin::Origin;
use ledge_tests::relay::Relay;

use crate::site::{error, is};

/// Two upstreams with different images under the same name.
struct Two {
    docker: Origin,
    github: Origin,
    ledge: Ledge,
    images: [images::Image; 2],
}

impl Two {
    async fn start() -> Result<Self> {
        let (docker, github) = (Origin::start().await?, Origin::start().await?);
        let images = [images::small(100)?, images::small(101)?];
        docker.put("library/app", "v1", &images[0]);
        github.put("library/app", "v1", &images[1]);
        let config =
            Config::docker(docker.address()).upstream(Upstream::new("ghcr.io", github.address()));
        let ledge = Ledge::start(&config).await?;
        Ok(Self {
            docker,
            github,
            ledge,
            images,
        })
    }
}

/// PEERS 8: several upstreams, and `ns` says which.
#[tokio::test]
async fn every_shape_finds_its_upstream() -> Result<()> {
    let site = Two::start().await?;
    for (image, shape) in [
        (0, "/v2/library/app/manifests/v1"),
        (0, "/v2/app/manifests/v1"),
        (0, "/v2/library/app/manifests/v1?ns=docker.io"),
        (0, "/v2/app/manifests/v1?ns=docker.io"),
        (0, "/v2/docker.io/library/app/manifests/v1"),
        (0, "/v2/docker.io/app/manifests/v1"),
        (0, "/v2/docker.io/library/app/manifests/v1?ns=docker.io"),
        (0, "/v2/registry-1.docker.io/library/app/manifests/v1"),
        (0, "/v2/library/app/manifests/v1?ns=index.docker.io"),
        (1, "/v2/library/app/manifests/v1?ns=ghcr.io"),
        (1, "/v2/ghcr.io/library/app/manifests/v1"),
        (1, "/v2/ghcr.io/library/app/manifests/v1?ns=ghcr.io"),
    ] {
        let answer = site.ledge.get(shape).fetch().await?;
        is(&answer, site.images[image].root()).with_context(|| shape.to_owned())?;
        let blob = &site.images[image].blobs[0];
        let path = shape.replace("manifests/v1", &format!("blobs/{}", blob.digest));
        is(&site.ledge.get(&path).fetch().await?, blob).context(path)?;
        let named = shape.split_once("?ns=").map_or("", |(_, ns)| ns);
        assert_eq!(answer.header("oci-namespace"), named, "{shape}");
    }
    Ok(())
}

/// PEERS 14.
#[tokio::test]
async fn a_head_says_what_a_get_would() -> Result<()> {
    let site = Two::start().await?;
    let root = site.images[0].root();
    for turn in ["cold", "warm"] {
        let answer = site
            .ledge
            .head("/v2/library/app/manifests/v1?ns=docker.io")
            .fetch()
            .await?;
        assert_eq!(answer.status, 200, "{turn}");
        assert_eq!(
            answer.header("docker-content-digest"),
            root.digest,
            "{turn}"
        );
        assert_eq!(answer.header("content-type"), root.media_type, "{turn}");
        assert_eq!(
            answer.header("content-length"),
            root.bytes.len().to_string(),
            "{turn}"
        );
        assert!(answer.body.is_empty(), "{turn}");
        let blob = &site.images[0].blobs[0];
        let answer = site
            .ledge
            .head(&format!("/v2/library/app/blobs/{}", blob.digest))
            .fetch()
            .await?;
        assert_eq!(
            (answer.status, answer.header("docker-content-digest")),
            (200, blob.digest.as_str()),
            "{turn}"
        );
        assert_eq!(
            answer.header("content-length"),
            blob.bytes.len().to_string(),
            "{turn}"
        );
    }
    // A HEAD never fetches a blob.
    assert_eq!(site.docker.count(&http::Method::GET, "/blobs/"), 0);
    Ok(())
}

/// PEERS 14: no fetch.
#[tokio::test]
async fn a_head_costs_one_head_and_is_remembered() -> Result<()> {
    let site = Two::start().await?;
    let image = &site.images[0];
    for (object, kind) in [(image.root(), "manifests"), (&image.blobs[0], "blobs")] {
        let path = format!("/v2/library/app/{kind}/{}", object.digest);
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = site.ledge.head(&path).fetch().await?;
            assert_eq!(answer.status, 200, "{path}");
            let fields = ["docker-content-digest", "content-type", "content-length"];
            answers.push(fields.map(|name| answer.header(name).to_owned()));
        }
        assert_eq!(answers[0], answers[1], "{path}");
        assert_eq!(answers[0][0], object.digest);
        assert_eq!(answers[0][2], object.bytes.len().to_string());
        let asked = [http::Method::HEAD, http::Method::GET]
            .map(|method| site.docker.count(&method, &object.digest));
        assert_eq!(asked, [1, 0], "{path}: {:?}", site.docker.seen());
        // What was learned does not stand in for the bytes.
        is(&site.ledge.get(&path).fetch().await?, object)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_prefix_and_a_namespace_that_differ_are_refused() -> Result<()> {
    let site = Two::start().await?;
    for path in [
        "/v2/docker.io/library/app/manifests/v1?ns=ghcr.io",
        "/v2/ghcr.io/library/app/manifests/v1?ns=docker.io",
        "/v2/docker.io/library/app/tags/list?ns=ghcr.io",
    ] {
        let answer = site.ledge.get(path).fetch().await?;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        assert_ne!(answer.code(), "", "{path}: {}", answer.text());
    }
    assert!(site.docker.seen().is_empty() && site.github.seen().is_empty());
    Ok(())
}

/// PEERS 22: `ns` and prefixes are looked up.
#[tokio::test]
async fn what_is_not_configured_is_never_dialled() -> Result<()> {
    let site = Two::start().await?;
    let bystander = Origin::start().await?;
    bystander.put("library/app", "v1", &site.images[0]);
    let trap = Relay::start(bystander.address(), FAST).await?;
    for path in [
        format!("/v2/library/app/manifests/v1?ns={}", trap.address()),
        format!("/v2/library/app/manifests/v1?ns=http://{}", trap.address()),
        "/v2/library/app/manifests/v1?ns=quay.io".to_owned(),
        "/v2/library/app/manifests/v1?ns=".to_owned(),
        "/v2/quay.io/library/app/manifests/v1".to_owned(),
        format!(
            "/v2/library/app/blobs/{}?ns=quay.io",
            site.images[0].blobs[0].digest
        ),
        "/v2/library/app/tags/list?ns=quay.io".to_owned(),
    ] {
        let answer = site.ledge.get(&path).fetch().await?;
        error(&answer, 404, "NAME_UNKNOWN").context(path)?;
    }
    // A name with a port in it is no name.
    let answer = site
        .ledge
        .get(&format!("/v2/{}/library/app/manifests/v1", trap.address()))
        .fetch()
        .await?;
    assert!([400, 404].contains(&answer.status), "{}", answer.text());
    assert_eq!(trap.connections(), 0);
    assert!(
        site.docker.seen().is_empty() && site.github.seen().is_empty(),
        "{:?}",
        site.docker.seen()
    );
    Ok(())
}
