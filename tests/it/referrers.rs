//! The referrers API, with origins that have it and origins that do not.

use anyhow::{Context, Result};
use ledge_tests::config::Config;
use ledge_tests::http::Answer;
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;

use crate::site::{REPOSITORY, is};

const SBOM: &str = "application/spdx+json";
const SIGNATURE: &str = "application/vnd.example.signature.v1";

/// An image with a bill of materials and a signature.
struct Signed {
    origin: Origin,
    ledge: Ledge,
    image: Image,
    sbom: Image,
    signature: Image,
}

impl Signed {
    async fn start() -> Result<Self> {
        let origin = Origin::start().await?;
        let image = images::small(1100)?;
        let sbom = images::artifact(image.root(), SBOM, "the bill");
        let signature = images::artifact(image.root(), SIGNATURE, "the signature");
        origin.put(REPOSITORY, "v1", &image);
        for artifact in [&sbom, &signature] {
            for blob in &artifact.blobs {
                origin.put_blob(REPOSITORY, blob);
            }
            origin.put_manifest(REPOSITORY, &artifact.root().digest, artifact.root());
        }
        let ledge = Ledge::start(&Config::docker(origin.address())).await?;
        Ok(Self {
            origin,
            ledge,
            image,
            sbom,
            signature,
        })
    }

    async fn referrers(&self, query: &str) -> Result<Answer> {
        let path = format!(
            "/v2/{REPOSITORY}/referrers/{}{query}",
            self.image.root().digest
        );
        let answer = self.ledge.get(&path).fetch().await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), images::OCI_INDEX);
        Ok(answer)
    }

    /// What both kinds of origin must lead to.
    async fn are_listed(&self) -> Result<()> {
        let mut all = vec![
            self.sbom.root().digest.clone(),
            self.signature.root().digest.clone(),
        ];
        all.sort();
        assert_eq!(digests(&self.referrers("").await?)?, all);
        let filtered = self
            .referrers(&format!("?artifactType={}", SBOM.replace('+', "%2B")))
            .await?;
        assert_eq!(digests(&filtered)?, [self.sbom.root().digest.clone()]);
        assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
        assert_eq!(
            digests(&self.referrers("?artifactType=text/none").await?)?,
            [""; 0]
        );
        let artifact = self.sbom.root();
        let path = format!("/v2/{REPOSITORY}/manifests/{}", artifact.digest);
        is(&self.ledge.get(&path).fetch().await?, artifact)
    }
}

fn digests(answer: &Answer) -> Result<Vec<String>> {
    let entries = answer.json()?["manifests"]
        .as_array()
        .cloned()
        .context("no manifests")?;
    let mut digests: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry["digest"].as_str())
        .map(str::to_owned)
        .collect();
    digests.sort();
    Ok(digests)
}

#[tokio::test]
async fn an_origin_with_the_api_is_asked() -> Result<()> {
    let site = Signed::start().await?;
    site.origin.offer_referrers();
    site.are_listed().await
}

#[tokio::test]
async fn an_origin_without_it_has_the_fallback_tag() -> Result<()> {
    let site = Signed::start().await?;
    let tag = images::fallback_tag(&site.image.root().digest);
    let fallback = images::fallback(&[&site.sbom, &site.signature]);
    site.origin.put_manifest(REPOSITORY, &tag, &fallback);
    site.are_listed().await
}

#[tokio::test]
async fn no_referrers_are_an_empty_index() -> Result<()> {
    let site = Signed::start().await?;
    assert_eq!(digests(&site.referrers("").await?)?, [""; 0]);
    Ok(())
}
