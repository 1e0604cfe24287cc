//! Which of an index's images are pulled.

use ledge_warm::{Options, Platforms, Summary};
use serde_json::json;

use crate::images::{INDEX, Image, Object, index, serve_manifest};
use crate::mirror::Mirror;

/// Images for two platforms and an attestation, under one index.
struct Site {
    mirror: Mirror,
    amd64: Image,
    arm64: Image,
    index: Object,
}

impl Site {
    async fn start() -> Self {
        let mirror = Mirror::start().await;
        let (amd64, arm64) = (Image::new("amd64", &["x"]), Image::new("arm64", &["y"]));
        let said = Image::new("attestation", &["said"]);
        let mut attestation = said.entry("unknown", "unknown");
        attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
        let index = index(&[
            amd64.entry("linux", "amd64"),
            arm64.entry("linux", "arm64"),
            attestation,
        ]);
        for image in [&amd64, &arm64, &said] {
            image.serve(&mirror, "a/b", "unused");
        }
        serve_manifest(&mirror, "a/b", "v1", &index);
        Self {
            mirror,
            amd64,
            arm64,
            index,
        }
    }

    async fn warm(&self, platforms: &str) -> Summary {
        let platforms = Platforms::parse(platforms).expect(platforms);
        let options = Options {
            platforms,
            ..self.mirror.options()
        };
        self.mirror.warm_with(&["a/b:v1"], &options).await
    }

    /// How many requests of these images' own objects there were.
    fn asked(&self, image: &Image) -> usize {
        let digests = image.blobs.iter().chain([&image.manifest]);
        let seen = self.mirror.seen();
        digests
            .filter(|object| seen.iter().any(|request| request.contains(&object.digest)))
            .count()
    }
}

#[tokio::test]
async fn only_the_chosen_platform_is_pulled() {
    let site = Site::start().await;
    let summary = site.warm("linux/arm64").await;
    assert_eq!(
        (
            summary.failed(),
            site.asked(&site.arm64),
            site.asked(&site.amd64)
        ),
        (0, 3, 0)
    );
    assert_eq!(site.mirror.seen().len(), 4);
    assert_eq!(summary.bytes(), site.index.len() + site.arm64.size());
    assert_eq!(
        summary.json()["images"][0]["platforms"],
        json!(["linux/arm64"])
    );
}

#[tokio::test]
async fn all_platforms_are_pulled_and_attestations_are_not() {
    let site = Site::start().await;
    let summary = site.warm("all").await;
    assert_eq!(
        (
            summary.failed(),
            site.asked(&site.arm64),
            site.asked(&site.amd64)
        ),
        (0, 3, 3)
    );
    assert_eq!(site.mirror.seen().len(), 7);
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_told_and_the_others_are_pulled() {
    let site = Site::start().await;
    let summary = site.warm("linux/amd64,linux/s390x").await;
    let failure = summary.rows[0].failure.as_ref().expect("s390x is missing");
    assert_eq!(
        failure.to_string(),
        "there is none for linux/s390x; the index lists linux/amd64, linux/arm64"
    );
    assert_eq!(
        (
            summary.failed(),
            site.asked(&site.amd64),
            site.asked(&site.arm64)
        ),
        (1, 3, 0)
    );
}

#[tokio::test]
async fn an_index_of_indexes_is_followed() {
    let site = Site::start().await;
    let outer = index(&[site.index.descriptor(INDEX)]);
    serve_manifest(&site.mirror, "a/b", "v1", &outer);
    let summary = site.warm("linux/amd64").await;
    assert_eq!(
        (
            summary.failed(),
            site.asked(&site.amd64),
            site.asked(&site.arm64)
        ),
        (0, 3, 0)
    );
    assert_eq!(
        summary.bytes(),
        outer.len() + site.index.len() + site.amd64.size()
    );
}

/// What has no index says nothing of its platform; it is pulled as it is.
#[tokio::test]
async fn an_image_without_index_is_pulled_for_any_platform() {
    let site = Site::start().await;
    site.amd64.serve(&site.mirror, "a/b", "v1");
    let summary = site.warm("linux/s390x").await;
    assert_eq!((summary.failed(), summary.bytes()), (0, site.amd64.size()));
    assert!(summary.rows[0].platforms.is_empty());
}
