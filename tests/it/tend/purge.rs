//! `purge`.

use anyhow::Result;
use ledge_tests::http::Method;

use super::{Site, lines, path_of, said};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_purged_is_asked_for_again_at_once() -> Result<()> {
    let site = Site::pulled(3400).await?;
    // Repeated without the component, until it is forgotten.
    site.origin.forget();
    site.pull().await?;
    assert_eq!(site.origin.seen().len(), 0);
    let dry = lines(
        &site
            .run(&["purge", "team/app:v1", "--dry-run", "--json"])
            .await?,
        0,
    )?;
    assert_eq!(dry[0]["image"]["image"], "docker.io/team/app:v1", "{dry:?}");
    assert_eq!(dry[1]["purge"]["objects"], 4, "{dry:?}");
    assert!(site.file(&site.image.root().digest)?.exists());

    let done = lines(
        &site
            .run(&["purge", "team/app:v1", "--yes", "--json"])
            .await?,
        0,
    )?;
    assert_eq!(done[1]["purge"]["objects"], 4, "{done:?}");
    for object in site.image.blobs.iter().chain(&site.image.manifests) {
        assert!(!site.file(&object.digest)?.exists(), "{}", object.digest);
    }
    site.pull().await?;
    for digest in site.image.blobs.iter().map(|blob| &blob.digest) {
        assert_eq!(site.origin.count(&Method::GET, digest), 1, "{digest}");
    }
    assert!(site.origin.count(&Method::GET, "/manifests/") > 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_cut_off() -> Result<()> {
    let site = Site::pulled(3410).await?;
    let layer = &site.image.blobs[1];
    let mut slow = site.ledge.get(&path_of(&layer.digest)).send().await?;
    let head = slow.at_least(1).await?;
    said(
        &site
            .run(&["purge", "--upstream", "docker.io", "--yes"])
            .await?,
        0,
    )?;
    assert!(!site.file(&layer.digest)?.exists());
    let rest = slow.rest().await?.body;
    assert_eq!([head, rest].concat(), layer.bytes);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mirror_it_does_the_same() -> Result<()> {
    let mut site = Site::pulled(3420).await?;
    site.end().await?;
    let text = said(
        &site
            .run(&["purge", "--repository", "team/*", "--yes"])
            .await?,
        0,
    )?;
    assert!(text.contains("1 image, "), "{text}");
    assert!(text.contains(" 4 objects with "), "{text}");
    site.ledge = site.ledge.restart().await?;
    site.origin.forget();
    site.pull().await?;
    assert!(site.origin.count(&Method::GET, &site.image.blobs[1].digest) == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_by_mistake() -> Result<()> {
    let site = Site::pulled(3430).await?;
    for (arguments, reason) in [
        (
            &["purge", "team/app:v1"] as &[&str],
            "nobody is there to be asked",
        ),
        (&["purge", "--yes"], "name what is to go"),
        (&["purge", "--yes", "Team"], "names no image"),
        (&["purge", "--yes", "--digest", "sha256:00"], "--digest"),
        (&["purge", "--yes", "--repository", "a?"], "--repository"),
    ] {
        let output = site.run(arguments).await?;
        said(&output, 2)?;
        let error = String::from_utf8(output.stderr)?;
        assert!(error.contains(reason), "{arguments:?}: {error}");
    }
    site.origin.forget();
    site.pull().await?;
    assert_eq!(site.origin.seen().len(), 0);
    Ok(())
}
