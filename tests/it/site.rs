//! What most tests start with: a scripted origin, and Ledge in front of it.

use anyhow::{Result, ensure};
use ledge_tests::config::Config;
use ledge_tests::http::Answer;
use ledge_tests::images::{Image, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;

/// The repository that an image of the site is in, at the origin.
pub(crate) const REPOSITORY: &str = "library/app";

/// docker.io is a scripted origin that holds one image as `library/app:v1`.
pub(crate) struct Site {
    pub(crate) origin: Origin,
    pub(crate) ledge: Ledge,
}

impl Site {
    pub(crate) async fn start(image: &Image) -> Result<Self> {
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", image);
        let ledge = Ledge::start(&Config::docker(origin.address())).await?;
        Ok(Self { origin, ledge })
    }

    /// GET a blob.
    pub(crate) async fn blob(&self, digest: &str) -> Result<Answer> {
        self.ledge.get(&blob(digest)).fetch().await
    }

    /// GET a manifest by tag or digest.
    pub(crate) async fn manifest(&self, reference: &str) -> Result<Answer> {
        self.ledge.get(&manifest(reference)).fetch().await
    }
}

/// The path of a blob.
pub(crate) fn blob(digest: &str) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

/// The path of a manifest.
pub(crate) fn manifest(reference: &str) -> String {
    format!("/v2/{REPOSITORY}/manifests/{reference}")
}

/// Fails unless the answer is the object, byte for byte, with the right header.
pub(crate) fn is(answer: &Answer, object: &Object) -> Result<()> {
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    ensure!(
        answer.digest() == object.digest,
        "{} is not {}",
        answer.digest(),
        object.digest
    );
    ensure!(
        answer.header("docker-content-digest") == object.digest,
        "{:?}",
        answer.headers
    );
    ensure!(
        answer.header("content-length") == object.bytes.len().to_string(),
        "{:?}",
        answer.headers
    );
    Ok(())
}

/// Fails unless the answer is the specification's error with this status and code.
pub(crate) fn error(answer: &Answer, status: u16, code: &str) -> Result<()> {
    let is = (answer.status, answer.code());
    ensure!(
        is == (status, code.to_owned()),
        "{is:?} is not {status} {code}: {}",
        answer.text()
    );
    Ok(())
}
