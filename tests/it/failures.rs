//! Origins that lie, stop, or are gone.

use anyhow::{Context, Result};
use ledge_tests::config::{Config, Upstream};
use ledge_tests::files;
use ledge_tests::gate::Gate;
use ledge_tests::http::Method;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};

use crate::site::{REPOSITORY, Site, blob, is, manifest, noise};

/// Large enough that its header is sent before its last byte is in.
const LARGE: usize = 4 << 20;

/// PEERS 5.
#[tokio::test]
async fn a_tampered_blob_is_cut_and_forgotten() -> Result<()> {
    let image = images::layered(400, &[LARGE])?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    site.origin.rule(
        Rule::new(&object.digest, Act::Tamper)
            .method(Method::GET)
            .times(1),
    );
    // An error before the header is as good as a cut after it.
    match site.blob(&object.digest).await {
        Ok(answer) => assert!(
            answer.status >= 500,
            "a whole body with status {}",
            answer.status
        ),
        Err(_cut) => {}
    }
    assert_eq!(site.origin.count(&Method::GET, &object.digest), 1);
    assert_eq!(
        files::under(&site.ledge.store().join("blobs")),
        Vec::<std::path::PathBuf>::new()
    );
    is(&site.blob(&object.digest).await?, object)?;
    assert_eq!(
        site.origin.count(&Method::GET, &object.digest),
        2,
        "the next request asks again"
    );
    is(&site.blob(&object.digest).await?, object)?;
    assert_eq!(
        site.origin.count(&Method::GET, &object.digest),
        2,
        "a good blob stays"
    );
    Ok(())
}

/// PEERS 5.
#[tokio::test]
async fn a_tampered_manifest_is_an_error_before_the_header() -> Result<()> {
    let image = images::small(401)?;
    let site = Site::start(&image).await?;
    let root = image.root();
    site.origin.rule(
        Rule::new(&root.digest, Act::Tamper)
            .method(Method::GET)
            .times(1),
    );
    let answer = site.manifest(&root.digest).await?;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.text().contains("docker.io"), "{}", answer.text());
    is(&site.manifest(&root.digest).await?, root)
}

#[tokio::test]
async fn a_missing_digest_header_is_computed_and_a_false_one_is_not_believed() -> Result<()> {
    let image = images::small(402)?;
    let site = Site::start(&image).await?;
    let root = image.root();
    site.origin.put_manifest("library/app", "without", root);
    site.origin.put_manifest("library/app", "false", root);
    site.origin.rule(Rule::new("/without", Act::Digest(None)));
    site.origin.rule(Rule::new(
        "/false",
        Act::Digest(Some(image.blobs[0].digest.clone())),
    ));
    is(&site.manifest("without").await?, root)?;
    let answer = site.manifest("false").await?;
    if answer.status == 200 {
        is(&answer, root)?;
    } else {
        assert_eq!(answer.status, 502, "{}", answer.text());
    }
    Ok(())
}

/// PEERS 5: a truncated one too.
#[tokio::test]
async fn a_length_that_is_not_true_is_found_out() -> Result<()> {
    for (seed, lie) in [
        (410, LARGE as u64 + 10),
        (411, LARGE as u64 - 10),
        (412, 10),
    ] {
        let object = noise(seed, LARGE);
        let site = Site::of(&object, |config| config).await?;
        let rule = Rule::new(&object.digest, Act::Length(lie));
        site.origin.rule(rule.method(Method::GET).times(1));
        if let Ok(answer) = site.blob(&object.digest).await {
            assert!(answer.status >= 500, "{lie}: {}", answer.status);
        }
        let stored = files::under(&site.ledge.store().join("blobs"));
        assert!(stored.is_empty(), "{lie}: {stored:?}");
        is(&site.blob(&object.digest).await?, &object).with_context(|| lie.to_string())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_that_is_closed_without_a_word_costs_nothing() -> Result<()> {
    let image = images::layered(413, &[100_000; 5])?;
    let site = Site::start(&image).await?;
    site.origin.rule(Rule::new("", Act::Close));
    is(&site.manifest("v1").await?, image.root())?;
    for object in &image.blobs {
        is(&site.blob(&object.digest).await?, object)?;
        assert_eq!(site.origin.count(&Method::GET, &object.digest), 1);
    }
    Ok(())
}

#[tokio::test]
async fn who_sent_wrong_bytes_is_asked_last() -> Result<()> {
    let object = noise(414, LARGE);
    let (first, second) = (Origin::start().await?, Origin::start().await?);
    first.put_blob(REPOSITORY, &object);
    second.put_blob(REPOSITORY, &object);
    first.rule(Rule::new(&object.digest, Act::Tamper));
    let endpoints = [first.address(), second.address()];
    let config = Config::only(Upstream::endpoints("docker.io", &endpoints));
    let ledge = Ledge::start(&config).await?;
    let cut = ledge.get(&blob(&object.digest)).fetch().await;
    cut.expect_err("the first one's bytes are wrong");
    is(&ledge.get(&blob(&object.digest)).fetch().await?, &object)?;
    let counts = [first, second].map(|origin| origin.count(&Method::GET, &object.digest));
    assert_eq!(counts, [1, 1]);
    Ok(())
}

#[tokio::test]
async fn an_origin_that_is_down_is_named() -> Result<()> {
    let image = images::small(403)?;
    let origin = Origin::start().await?;
    let ledge = Ledge::start(&Config::docker(origin.address())).await?;
    drop(origin);
    for path in [
        manifest("v1"),
        manifest(&image.root().digest),
        blob(&image.blobs[0].digest),
    ] {
        let answer = ledge.get(&path).fetch().await?;
        assert!(
            [502, 504].contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(
            answer.json()?["errors"][0]["message"]
                .to_string()
                .contains("docker.io"),
            "{path}: {}",
            answer.text()
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_origin_that_says_nothing_times_out() -> Result<()> {
    let image = images::small(404)?;
    let origin = Origin::start().await?;
    origin.put("library/app", "v1", &image);
    let gate = Gate::held();
    origin.rule(Rule::new("", Act::Hold(gate)));
    let config = Config::default()
        .head("default_upstream = \"docker.io\"\n[limits]\nupstream_header_timeout = \"500ms\"")
        .upstream(Upstream::new("docker.io", origin.address()));
    let ledge = Ledge::start(&config).await?;
    for path in [manifest("v1"), blob(&image.blobs[0].digest)] {
        let answer = ledge.get(&path).fetch().await?;
        assert_eq!(answer.status, 504, "{path}: {}", answer.text());
        assert!(
            answer.text().contains("docker.io"),
            "{path}: {}",
            answer.text()
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_origin_that_fails_is_not_remembered() -> Result<()> {
    let image = images::small(405)?;
    let site = Site::start(&image).await?;
    let object = &image.blobs[0];
    for (status, told) in [(500, 502), (502, 502), (503, 503)] {
        site.origin
            .rule(Rule::new(&object.digest, Act::Status(status, "{}")));
        let answer = site.blob(&object.digest).await?;
        assert_eq!(answer.status, told, "{status}: {}", answer.text());
        assert_ne!(answer.code(), "", "{status}: {}", answer.text());
        site.origin.behave();
    }
    is(&site.blob(&object.digest).await?, object).context("after all")
}

#[tokio::test]
async fn what_is_stored_needs_no_origin() -> Result<()> {
    let image = images::index(406)?;
    let origin = Origin::start().await?;
    origin.put("library/app", "v1", &image);
    let ledge = Ledge::start(&Config::docker(origin.address())).await?;
    let objects = || {
        image
            .manifests
            .iter()
            .map(|object| (manifest(&object.digest), object))
    };
    let blobs = || {
        image
            .blobs
            .iter()
            .map(|object| (blob(&object.digest), object))
    };
    for (path, object) in objects().chain(blobs()) {
        is(&ledge.get(&path).fetch().await?, object)?;
    }
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    drop(origin);
    for (path, object) in objects().chain(blobs()) {
        is(&ledge.get(&path).fetch().await?, object).context("with the origin gone")?;
    }
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())
}
