//! Answers that are repeated without asking the component again.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::registry::{PASSWORD, USER};

use crate::site::{REPOSITORY, blob, is};

/// Pulls a blob until its answer would be kept, and takes it from the store, which has no memory
/// beside its disk: what is answered now without the origin is a kept answer.
async fn without_its_store(
    answers: &str,
    private: bool,
) -> Result<(Origin, Ledge, images::Object)> {
    let image = images::small(1300)?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let mut upstream = Upstream::new("docker.io", origin.address());
    if private {
        origin.authenticate(Auth::Basic(format!("{USER}:{PASSWORD}")));
        upstream = upstream.credentials(USER, PASSWORD);
    }
    let head = format!(
        "default_upstream = \"docker.io\"\n[server]\nanswers = \"{answers}\"\n[store]\nmemory = \"0\""
    );
    let ledge = Ledge::start(&Config::default().head(&head).upstream(upstream)).await?;
    let object = image.blobs[0].clone();
    // The first fills the store, others may still follow that. A hit may still come with the
    // first one's right to see it: the one after it has a right of its own, and is kept.
    let mut hits = 0;
    while hits < 2 {
        let answer = ledge.get(&blob(&object.digest)).fetch().await?;
        is(&answer, &object)?;
        assert_eq!(answer.header("surrogate-control"), "");
        hits += usize::from(answer.header("cache-status") == "ledge; hit");
    }
    fs::remove_dir_all(ledge.store().join("blobs").join("sha256"))?;
    origin.forget();
    Ok((origin, ledge, object))
}

/// Pulls until the origin is asked: at first the end of the transfer that filled the store may
/// still be about to be told.
async fn is_asked(origin: &Origin, ledge: &Ledge, object: &images::Object) -> Result<()> {
    let whole = async || is(&ledge.get(&blob(&object.digest)).fetch().await?, object);
    asking(origin, whole).await
}

/// Pulls so until the origin is asked.
async fn asking(origin: &Origin, pull: impl AsyncFn() -> Result<()>) -> Result<()> {
    let asked = async {
        while origin.seen().is_empty() {
            pull().await?;
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await?
}

#[tokio::test]
async fn a_public_answer_is_repeated() -> Result<()> {
    let (origin, ledge, object) = without_its_store("1MiB", false).await?;
    let path = blob(&object.digest);
    is(&ledge.get(&path).fetch().await?, &object)?;
    let head = ledge.head(&path).fetch().await?;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        head.header("content-length"),
        object.bytes.len().to_string()
    );
    assert_eq!(origin.seen().len(), 0);
    // With something of its own a request goes past it.
    let part = async || {
        let request = ledge.get(&path).header("range", "bytes=0-1");
        let part = request.fetch().await?;
        assert_eq!((part.status, &part.body[..]), (206, &object.bytes[..2]));
        Ok(())
    };
    asking(&origin, part).await
}

#[tokio::test]
async fn with_no_room_for_answers_the_component_is_always_asked() -> Result<()> {
    let (origin, ledge, object) = without_its_store("0", false).await?;
    is_asked(&origin, &ledge, &object).await
}

/// PEERS 9: no answer is kept for others.
#[tokio::test]
async fn a_private_answer_is_never_repeated() -> Result<()> {
    let (origin, ledge, object) = without_its_store("1MiB", true).await?;
    is_asked(&origin, &ledge, &object).await
}
