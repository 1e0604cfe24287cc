//! `ledge warm`: what was warmed costs the origin nothing when a client comes.

use std::fs;
use std::process::Output;

use anyhow::{Context, Result, ensure};
use ledge_tests::clients::skopeo::Skopeo;
use ledge_tests::config::Config;
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::{self, Ledge};
use ledge_tests::link::FAST;
use ledge_tests::registry::{Access, Registry};
use ledge_tests::relay::Relay;
use serde_json::Value;
use tokio::process::Command;

use crate::site::hit;

/// A real origin with two images, a relay that counts, and Ledge.
struct Site {
    _registry: Registry,
    relay: Relay,
    ledge: Ledge,
    index: Image,
    layered: Image,
}

impl Site {
    async fn start() -> Result<Self> {
        let registry = Registry::start(Access::Open).await?;
        let (index, layered) = (
            images::index(70)?,
            images::layered(80, &[300_000, 200_000])?,
        );
        registry.push("library/index", "v1", &index).await?;
        registry.push("team/layered", "v1", &layered).await?;
        let relay = Relay::start(registry.address(), FAST).await?;
        let ledge = Ledge::start(&Config::docker(relay.address())).await?;
        Ok(Self {
            _registry: registry,
            relay,
            ledge,
            index,
            layered,
        })
    }

    /// Runs `ledge warm` for this mirror.
    async fn warm(&self, arguments: &[&str]) -> Result<Output> {
        let mirror = format!("http://{}", self.ledge.address());
        let mut all = vec!["--platform", "linux/amd64", "--mirror", &mirror];
        all.extend(arguments);
        run(&all).await
    }

    /// Waits until all blobs of what was warmed are stored: who has them may be ahead of the disk.
    async fn is_stored(&self) -> Result<()> {
        for (name, manifest) in [
            ("library/index", self.index.platform()),
            ("team/layered", self.layered.root()),
        ] {
            let manifest: Value = serde_json::from_slice(&manifest.bytes)?;
            let layers = manifest["layers"].as_array().into_iter().flatten();
            for listed in layers.chain([&manifest["config"]]) {
                let digest = listed["digest"].as_str().context("a digest")?;
                hit(&self.ledge, &format!("/v2/{name}/blobs/{digest}")).await?;
            }
        }
        Ok(())
    }

    /// Whether the origin was asked nothing since it was last looked at.
    fn quiet(&self) -> Result<()> {
        let asked = self.relay.requests();
        ensure!(self.relay.total() == 0, "the origin was asked: {asked:?}");
        Ok(())
    }
}

async fn run(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(ledge::binary()?);
    command.arg("warm").args(arguments).kill_on_drop(true);
    command.output().await.context("running ledge warm")
}

/// What `--json` printed, of a run with this exit code.
fn summary(output: &Output, code: i32) -> Result<Value> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code),
        "{}: {said}",
        output.status
    );
    serde_json::from_slice(&output.stdout).with_context(|| said.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_of_what_was_warmed_costs_the_origin_nothing() -> Result<()> {
    let site = Site::start().await?;
    let folder = tempfile::tempdir()?;
    let pod = folder.path().join("pod.yaml");
    fs::write(&pod, "spec:\n  containers:\n    - image: team/layered:v1\n")?;
    let pod = pod.display().to_string();
    let named = ["index:v1", "--kubernetes", &pod, "--json"];
    let first = summary(&site.warm(&named).await?, 0)?;
    // Of the index, one platform of three: the index, a manifest, a configuration and a layer.
    assert_eq!(first["images"][0]["objects"], 4, "{first}");
    assert_eq!(first["images"][1]["bytes"], site.layered.size(), "{first}");
    assert_eq!(
        (&first["present"], &first["failed"]),
        (&0.into(), &0.into()),
        "{first}"
    );

    site.is_stored().await?;
    site.relay.forget();
    let again = summary(&site.warm(&named).await?, 0)?;
    assert_eq!(again["present"], first["bytes"], "{again}");
    site.quiet()?;

    // As containerd asks: the tag by HEAD, then everything by digest.
    let head = site
        .ledge
        .head("/v2/library/index/manifests/v1?ns=docker.io");
    assert_eq!(
        head.fetch().await?.header("docker-content-digest"),
        site.index.root().digest
    );
    for object in [site.index.root(), site.index.platform()] {
        let path = format!("/v2/library/index/manifests/{}?ns=docker.io", object.digest);
        assert_eq!(site.ledge.get(&path).fetch().await?.body, object.bytes);
    }
    for blob in &site.layered.blobs {
        let path = format!("/v2/team/layered/blobs/{}", blob.digest);
        assert_eq!(site.ledge.get(&path).fetch().await?.body, blob.bytes);
    }
    site.quiet()?;

    if let Some(skopeo) = Skopeo::start()? {
        for (name, image) in [
            ("library/index", &site.index),
            ("team/layered", &site.layered),
        ] {
            let reference = format!("docker.io/{name}:v1");
            let stored = skopeo.pull(site.ledge.address(), &reference).await?;
            assert_eq!(stored, Skopeo::expects(image), "{name}");
        }
        site.quiet()?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_warm_is_told_with_the_reason() -> Result<()> {
    let site = Site::start().await?;
    let output = site
        .warm(&["index:v1", "index:v2", "nowhere.example/a"])
        .await?;
    let (table, said) = (
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    );
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "docker.io/library/index:v1",
        "; 2 failed\n",
        "docker.io/library/index:v2: manifest v2: the mirror answered 404 MANIFEST_UNKNOWN",
        "nowhere.example/a:latest: manifest latest: the mirror answered 404 NAME_UNKNOWN",
        "is the registry one of the mirror's [upstreams]",
    ] {
        assert!(table.contains(part), "'{part}' is not in:\n{table}");
    }
    assert!(
        said.contains("docker.io/library/index:v1: warm, "),
        "{said}"
    );
    assert!(said.contains("error: 2 of 3 images are not warm"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_is_the_configured_one() -> Result<()> {
    let site = Site::start().await?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("ledge.toml");
    fs::write(
        &config,
        format!("[server]\nlisten = \"{}\"\n", site.ledge.address()),
    )?;
    let config = config.display().to_string();
    let dry = run(&[
        "team/layered:v1",
        "--config",
        &config,
        "--json",
        "--dry-run",
    ])
    .await?;
    let dry = summary(&dry, 0)?;
    assert_eq!(dry["images"][0]["result"], "would pull", "{dry}");
    assert_eq!(dry["bytes"], site.layered.size(), "{dry}");
    let asked = site.relay.requests();
    assert!(
        asked.keys().all(|(_, path)| !path.contains("/blobs/")),
        "{asked:?}"
    );
    Ok(())
}

#[tokio::test]
async fn wrong_use_has_its_own_code() -> Result<()> {
    for (arguments, reason) in [
        (&["Alpine"] as &[&str], "lower-case"),
        (&["--file", "/nowhere"], "/nowhere"),
        (&["--file", "/dev/null"], "no image was named"),
        (&["--file", "-", "--kubernetes", "-"], "once"),
        (&["a", "--platform", "amd64"], "os/architecture"),
        (&["a", "--mirror", "localhost"], "http://"),
    ] {
        let output = run(arguments).await?;
        let said = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
    Ok(())
}
