//! Origins that send us on to an object store.

use anyhow::Result;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::registry;
use ledge_tests::script::{Act, Rule};

use crate::site::{REPOSITORY, blob, is, manifest};

/// An origin with Basic authentication that redirects its blobs to a store.
struct Redirecting {
    origin: Origin,
    store: Origin,
}

impl Redirecting {
    async fn start(image: &Image) -> Result<Self> {
        let (origin, store) = (Origin::start().await?, Origin::start().await?);
        for holder in [&origin, &store] {
            holder.put(REPOSITORY, "v1", image);
        }
        origin.authenticate(Auth::Basic(format!(
            "{}:{}",
            registry::USER,
            registry::PASSWORD
        )));
        for object in &image.blobs {
            let to = format!(
                "{}?X-Signature=presigned-secret",
                store.url(&blob(&object.digest))
            );
            origin.rule(Rule::new(&object.digest, Act::Redirect(to)));
        }
        Ok(Self { origin, store })
    }

    fn upstream(&self) -> Upstream {
        Upstream::new("docker.io", self.origin.address())
            .credentials(registry::USER, registry::PASSWORD)
    }
}

fn only(upstream: Upstream) -> Config {
    Config::only(upstream)
}

#[tokio::test]
async fn a_redirect_takes_no_credentials_along() -> Result<()> {
    let image = images::layered(800, &[200_000])?;
    let site = Redirecting::start(&image).await?;
    let ledge = Ledge::start(&only(site.upstream().trusted(&[site.store.address()]))).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    for object in &image.blobs {
        is(&ledge.get(&blob(&object.digest)).fetch().await?, object)?;
    }
    let seen = site.store.seen();
    assert_eq!(seen.len(), image.blobs.len(), "{seen:?}");
    for request in &seen {
        assert_eq!(request.header("authorization"), "", "{request:?}");
        assert!(
            request.path.ends_with("?X-Signature=presigned-secret"),
            "{}",
            request.path
        );
    }
    assert!(
        !ledge.log().await?.join("\n").contains("presigned-secret"),
        "a presigned URL is in the log"
    );
    Ok(())
}

/// PEERS 22: an origin sends us nowhere either.
#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() -> Result<()> {
    let image = images::small(810)?;
    let site = Redirecting::start(&image).await?;
    let ledge = Ledge::start(&only(site.upstream())).await?;
    let answer = ledge.get(&blob(&image.blobs[0].digest)).fetch().await?;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(
        !answer.text().contains("presigned-secret"),
        "{}",
        answer.text()
    );
    assert!(site.store.seen().is_empty(), "{:?}", site.store.seen());
    Ok(())
}

#[tokio::test]
async fn redirects_end() -> Result<()> {
    let image = images::small(820)?;
    let origin = Origin::start().await?;
    let digest = &image.blobs[0].digest;
    origin.put(REPOSITORY, "v1", &image);
    origin.rule(Rule::new(digest, Act::Redirect(origin.url(&blob(digest)))));
    let ledge = Ledge::start(&Config::docker(origin.address())).await?;
    let answer = ledge.get(&blob(digest)).fetch().await?;
    assert_eq!(answer.status, 502, "{}", answer.text());
    // The request itself and five hops.
    let asked = origin
        .seen()
        .iter()
        .filter(|seen| seen.path.ends_with(digest))
        .count();
    assert!(asked <= 6, "{asked} requests");
    Ok(())
}
