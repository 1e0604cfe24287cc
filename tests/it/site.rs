//! What most tests start with: a scripted origin, and Ledge in front of it.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use ledge_tests::config::Config;
use ledge_tests::http::{Answer, Method, Request};
use ledge_tests::images::{Image, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Origin, Seen};
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

/// The repository that an image of the site is in, at the origin.
pub(crate) const REPOSITORY: &str = "library/app";

/// Far above what a transfer of the tests' objects and its sync take.
const SOON: Duration = Duration::from_secs(30);

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

    /// The origin holds only this blob, and Ledge has some settings of its own.
    pub(crate) async fn of(
        object: &Object,
        settings: impl FnOnce(Config) -> Config,
    ) -> Result<Self> {
        let origin = Origin::start().await?;
        origin.put_blob(REPOSITORY, object);
        let ledge = Ledge::start(&settings(Config::docker(origin.address()))).await?;
        Ok(Self { origin, ledge })
    }

    /// GET a range of a blob, still to be sent.
    pub(crate) fn range(&self, object: &Object, range: &str) -> Request {
        let request = self.ledge.get(&blob(&object.digest));
        request.header("range", range)
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

/// Random bytes, the same for a seed.
pub(crate) fn noise(seed: u64, size: usize) -> Object {
    let mut bytes = vec![0; size];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    Object::new("application/octet-stream", bytes)
}

/// The GETs of a blob that an origin saw, in their order.
pub(crate) fn gets(origin: &Origin, object: &Object) -> Vec<Seen> {
    let mut seen = origin.seen();
    seen.retain(|seen| seen.method == Method::GET && seen.path.ends_with(&object.digest));
    seen
}

/// Their Range fields; an empty one for each that asked for the whole.
pub(crate) fn asked(origin: &Origin, object: &Object) -> Vec<String> {
    let gets = gets(origin, object);
    gets.iter()
        .map(|seen| seen.header("range").to_owned())
        .collect()
}

/// Asks until the answer comes from the store, while a transfer runs. A client has its last
/// byte before the store has synced; who asks meanwhile still follows.
pub(crate) async fn hit(ledge: &Ledge, path: &str) -> Result<Answer> {
    let asked = async {
        loop {
            let answer = ledge.get(path).fetch().await?;
            match answer.header("cache-status") {
                "ledge; hit" => return Ok(answer),
                "ledge; fwd=miss; collapsed" => {}
                other => bail!("{path} is '{other}'"),
            }
        }
    };
    tokio::time::timeout(SOON, asked).await?
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
