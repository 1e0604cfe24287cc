//! `export` and `import`: a warm cache moves into a place without a network.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Result;
use ledge_tests::clients::skopeo::Skopeo;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::registry;

use super::{Site, lines, path_of, run, said};
use crate::site::hit;

/// Where nobody listens.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// A mirror whose origin cannot be reached.
async fn cut_off() -> Result<Ledge> {
    Ledge::start(&Config::docker(NOWHERE)).await
}

/// Every byte of a site's image, by a mirror that has no origin.
async fn serves(ledge: &Ledge, site: &Site) -> Result<()> {
    let root = site.image.root();
    for reference in ["v1", &root.digest] {
        let path = format!("/v2/team/app/manifests/{reference}");
        let got = ledge.get(&path).fetch().await?;
        assert_eq!(got.body, root.bytes, "{reference}: {}", got.text());
        assert_eq!(got.header("docker-content-digest"), root.digest);
    }
    for blob in &site.image.blobs {
        let got = ledge.get(&path_of(&blob.digest)).fetch().await?;
        assert_eq!(got.body, blob.bytes, "{}", blob.digest);
    }
    if let Some(skopeo) = Skopeo::start()? {
        let stored = skopeo
            .pull(ledge.address(), "docker.io/team/app:v1")
            .await?;
        assert_eq!(stored, Skopeo::expects(&site.image));
    }
    Ok(())
}

async fn brought(ledge: &Ledge, from: &Path) -> Result<()> {
    let from = from.display().to_string();
    let output = run(
        &ledge.store(),
        Some(&ledge.config()),
        &["import", &from, "--json"],
    )
    .await?;
    let report = &lines(&output, 0)?[0]["import"];
    assert_eq!(
        report["images"],
        serde_json::json!(["docker.io/team/app:v1"])
    );
    assert_eq!(report["objects"], 4, "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn between_mirrors_that_serve() -> Result<()> {
    let site = Site::pulled(3500).await?;
    let folder = tempfile::tempdir()?;
    for name in ["layout", "layout.tar"] {
        let layout = folder.path().join(name);
        let to = layout.display().to_string();
        let done = lines(
            &site
                .run(&["export", "team/app:v1", "--to", &to, "--json"])
                .await?,
            0,
        )?;
        assert_eq!(
            done[0]["image"]["image"], "docker.io/team/app:v1",
            "{done:?}"
        );
        assert_eq!(done[1]["export"]["bytes"], site.image.size(), "{done:?}");
        let ledge = cut_off().await?;
        // It is remembered that there is no such image, until it is there.
        let before = ledge.get("/v2/team/app/manifests/v1").fetch().await?;
        assert_eq!(before.status, 502, "{}", before.text());
        brought(&ledge, &layout).await?;
        serves(&ledge, &site).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn between_stores_that_nobody_has_open() -> Result<()> {
    let site = Site::pulled(3510).await?;
    site.end().await?;
    let output = site.run(&["export", "--all", "--to", "-"]).await?;
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let folder = tempfile::tempdir()?;
    let layout = folder.path().join("piped.tar");
    std::fs::write(&layout, &output.stdout)?;
    let ledge = cut_off().await?;
    ledge.terminate();
    ledge.ended(super::END).await?;
    brought(&ledge, &layout).await?;
    serves(&ledge.restart().await?, &site).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_wrote_is_taken_when_it_says_what_it_is() -> Result<()> {
    let site = Site::pulled(3520).await?;
    let Some(skopeo) = Skopeo::start()? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    for (name, is_taken) in [("docker.io/team/app:v1", true), ("v1", false)] {
        let layout = folder
            .path()
            .join(if is_taken { "named" } else { "nameless" });
        let to = format!("oci:{}:{name}", layout.display());
        skopeo
            .copy(site.ledge.address(), "docker.io/team/app:v1", &to)
            .await?;
        let ledge = cut_off().await?;
        if is_taken {
            brought(&ledge, &layout).await?;
            serves(&ledge, &site).await?;
        } else {
            let from = layout.display().to_string();
            let output = run(&ledge.store(), Some(&ledge.config()), &["import", &from]).await?;
            said(&output, 2)?;
            let error = String::from_utf8(output.stderr)?;
            assert!(error.contains("no whole name"), "{error}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_moves_by_an_operators_word_alone() -> Result<()> {
    let origin = Origin::start().await?;
    let secret = format!("{}:{}", registry::USER, registry::PASSWORD);
    origin.authenticate(Auth::Basic(secret));
    let image = images::small(3530)?;
    origin.put("team/secret", "v1", &image);
    let private = |address| {
        let upstream = Upstream::new("ghcr.io", address);
        let upstream = upstream.credentials(registry::USER, registry::PASSWORD);
        Config::default().upstream(upstream)
    };
    let ledge = Ledge::start(&private(origin.address())).await?;
    let manifest = "/v2/ghcr.io/team/secret/manifests/v1";
    assert_eq!(ledge.get(manifest).fetch().await?.status, 200);
    for blob in &image.blobs {
        let path = format!("/v2/ghcr.io/team/secret/blobs/{}", blob.digest);
        ledge.get(&path).fetch().await?;
        hit(&ledge, &path).await?;
    }
    let folder = tempfile::tempdir()?;
    let layout = folder.path().join("secret.tar").display().to_string();
    let export = ["export", "ghcr.io/team/secret:v1", "--to", &layout];
    let output = run(&ledge.store(), Some(&ledge.config()), &export).await?;
    said(&output, 2)?;
    assert!(String::from_utf8(output.stderr)?.contains("is private"));
    let public = [&export[..], &["--public"]].concat();
    said(
        &run(&ledge.store(), Some(&ledge.config()), &public).await?,
        0,
    )?;

    let away = Ledge::start(&private(NOWHERE)).await?;
    let import = ["import", &layout];
    let output = run(&away.store(), Some(&away.config()), &import).await?;
    said(&output, 2)?;
    assert_eq!(away.get(manifest).fetch().await?.status, 502);
    let public = ["import", &layout, "--public"];
    said(&run(&away.store(), Some(&away.config()), &public).await?, 0)?;
    let got = away.get(manifest).fetch().await?;
    assert_eq!(got.body, image.root().bytes, "{}", got.text());
    let other = format!("/v2/ghcr.io/team/other/manifests/{}", image.root().digest);
    assert_ne!(away.get(&other).fetch().await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_layout_leaves_a_serving_mirror_as_it_was() -> Result<()> {
    let site = Site::pulled(3540).await?;
    let folder = tempfile::tempdir()?;
    let garbage = folder.path().join("garbage.tar");
    std::fs::write(&garbage, vec![7; 100_000])?;
    let before = lines(&site.run(&["stats", "--json"]).await?, 0)?;
    let output = site
        .run(&["import", &garbage.display().to_string()])
        .await?;
    said(&output, 2)?;
    let after = lines(&site.run(&["stats", "--json"]).await?, 0)?;
    assert_eq!(before[0]["stats"]["objects"], after[0]["stats"]["objects"]);
    assert_eq!(before[0]["stats"]["records"], after[0]["stats"]["records"]);
    site.pull().await
}
