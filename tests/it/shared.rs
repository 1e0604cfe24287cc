//! Several nodes that share their records.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::http::Method;
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::valkey::{PASSWORD, Valkey};

use crate::site::{REPOSITORY, blob, is, manifest};

/// Far above the five seconds for which a server that failed is left alone.
const SOON: Duration = Duration::from_secs(30);

/// A node of its own disk. The upstream is private: every digest has to be shown by the origin.
async fn node(origin: &Origin, valkey: &Valkey) -> Result<Ledge> {
    let upstream = Upstream::new("docker.io", origin.address()).credentials("me", "secret");
    let config = Config::default()
        .head("default_upstream = \"docker.io\"")
        .setting("shared.records", &format!("url = \"{}\"", valkey.url()))
        .head(&format!("password = \"{PASSWORD}\""))
        .upstream(upstream);
    Ledge::start(&config).await
}

async fn site(image: &Image) -> Result<(Origin, Valkey)> {
    let (origin, valkey) = (Origin::start().await?, Valkey::start().await?);
    origin.put(REPOSITORY, "v1", image);
    origin.authenticate(Auth::Basic("me:secret".to_owned()));
    Ok((origin, valkey))
}

async fn pull(ledge: &Ledge, image: &Image) -> Result<()> {
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    for object in &image.blobs {
        is(&ledge.get(&blob(&object.digest)).fetch().await?, object)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_one_node_learned_the_other_does_not_ask() -> Result<()> {
    let image = images::layered(1600, &[50_000, 60_000])?;
    let (origin, valkey) = site(&image).await?;
    let (one, other) = (node(&origin, &valkey).await?, node(&origin, &valkey).await?);
    pull(&one, &image).await?;
    origin.forget();
    pull(&other, &image).await?;
    // The bytes are not shared, but what the tag means is, and what may be shown.
    assert_eq!(origin.count(&Method::HEAD, ""), 0, "{:?}", origin.seen());
    assert_eq!(origin.count(&Method::GET, "/manifests/v1"), 0);
    let listed = one.get("/v2/_catalog").fetch().await?.json()?;
    assert_eq!(listed["repositories"], serde_json::json!([]));
    Ok(())
}

#[tokio::test]
async fn without_the_server_each_goes_on_alone() -> Result<()> {
    let image = images::layered(1601, &[50_000])?;
    let (origin, mut valkey) = site(&image).await?;
    let (one, other) = (node(&origin, &valkey).await?, node(&origin, &valkey).await?);
    pull(&one, &image).await?;
    pull(&other, &image).await?;
    valkey.down();
    origin.forget();
    for node in [&one, &other] {
        pull(node, &image).await?;
    }
    assert_eq!(origin.seen().len(), 0, "{:?}", origin.seen());
    one.line("going on with this node's own copy").await?;
    let new = images::small(1602)?;
    origin.put(REPOSITORY, "v2", &new);
    is(&one.get(&manifest("v2")).fetch().await?, new.root())?;

    // It comes back empty, and is learned again.
    valkey.up().await?;
    let asked = async {
        while !one
            .seen_log()
            .iter()
            .any(|line| line.contains("are there again"))
        {
            pull(&one, &image).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        pull(&one, &image).await
    };
    tokio::time::timeout(SOON, asked).await?
}

#[tokio::test]
async fn it_need_not_be_there_at_the_start() -> Result<()> {
    let image = images::layered(1603, &[50_000])?;
    let (origin, mut valkey) = site(&image).await?;
    valkey.down();
    let node = node(&origin, &valkey).await?;
    pull(&node, &image).await
}

#[tokio::test]
async fn what_cannot_be_used_is_told_with_its_place() -> Result<()> {
    let rows = [
        (
            "url = \"http://10.0.0.5\"",
            "shared.records.url: it starts with none of redis://",
        ),
        (
            "url = \"redis://me:hunter2@10.0.0.5\"",
            "shared.records.url: the URL holds a user name or a password",
        ),
        (
            "url = \"redis://10.0.0.5\"\nca_file = \"/nowhere\"",
            "shared.records.ca_file: cannot read /nowhere",
        ),
        (
            "url = \"redis://10.0.0.5\"\npassword_file = \"/nowhere\"",
            "shared.records.password_file: ",
        ),
        ("prefix = \"a\"", "shared.records: it has no url"),
        ("url = []", "shared.records.url: it is empty"),
    ];
    for (lines, said) in rows {
        let folder = tempfile::tempdir()?;
        let file: PathBuf = folder.path().join("ledge.toml");
        std::fs::write(&file, format!("[shared.records]\n{lines}\n"))?;
        let mut check = std::process::Command::new(ledge_tests::ledge::binary()?);
        let output = check
            .args(["config", "check", "--config"])
            .arg(&file)
            .output()?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && told.contains(said),
            "{lines}: {told}"
        );
        assert!(!told.contains("hunter2"), "{told}");
    }
    Ok(())
}
