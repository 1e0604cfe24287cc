//! `ls`, `stats`, `gc`, and the socket.

use anyhow::{Context, Result};
use ledge_tests::config::Config;
use ledge_tests::http::{Method, Request};
use ledge_tests::ledge::Ledge;
use serde_json::Value;

use super::{Site, lines, run, said};

/// Without what changes by itself.
fn timeless(mut lines: Vec<Value>) -> Vec<Value> {
    for image in lines.iter_mut().filter_map(|line| line.get_mut("image")) {
        image["used"] = Value::Null;
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_lists_the_same_beside_a_mirror_and_without_one() -> Result<()> {
    let site = Site::pulled(3100).await?;
    let beside = timeless(lines(&site.run(&["ls", "--json"]).await?, 0)?);
    let image = &beside[0]["image"];
    assert_eq!(image["image"], "docker.io/team/app:v1", "{image}");
    assert_eq!(image["digest"], site.image.root().digest, "{image}");
    assert_eq!(image["bytes"], site.image.size(), "{image}");
    assert_eq!(
        (&image["stored"], &image["objects"]),
        (&4.into(), &4.into())
    );
    assert_eq!(beside[1]["list"]["images"], 1);
    let table = said(&site.run(&["ls", "--upstream", "docker.io"]).await?, 0)?;
    assert!(table.contains("docker.io/team/app:v1"), "{table}");
    assert!(table.ends_with("\n1 image\n"), "{table}");
    let none = said(&site.run(&["ls", "--repository", "other/*"]).await?, 0)?;
    assert_eq!(none, "0 images\n");

    let stats = lines(&site.run(&["stats", "--json"]).await?, 0)?;
    assert_eq!(stats[0]["stats"]["objects"], 4, "{stats:?}");
    assert_eq!(stats[0]["stats"]["upstreams"][0]["tags"], 1, "{stats:?}");

    site.end().await?;
    let alone = timeless(lines(&site.run(&["ls", "--json"]).await?, 0)?);
    assert_eq!(alone, beside);
    let stats = said(&site.run(&["stats"]).await?, 0)?;
    assert!(stats.contains("4 objects"), "{stats}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_use_is_not_collected() -> Result<()> {
    let site = Site::pulled(3110).await?;
    let report = lines(&site.run(&["gc", "--json"]).await?, 0)?;
    let gc = &report[report.len() - 1]["gc"];
    assert_eq!((&gc["unreached"], &gc["dangling"]), (&0.into(), &0.into()));
    site.origin.forget();
    site.pull().await?;
    assert_eq!(site.origin.seen().len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_answers_commands_and_nothing_else() -> Result<()> {
    let site = Site::pulled(3120).await?;
    let socket = site.ledge.store().join("control.sock");
    let post = |path: &str, body: &'static str| {
        Request::unix(Method::POST, socket.clone(), path).body(body)
    };
    let stats = post("/v1/stats", "").fetch().await?;
    assert_eq!(stats.status, 200);
    assert_eq!(stats.json()?["done"]["stats"]["objects"], 4);
    for (path, body) in [
        ("/v2/", "{}"),
        ("/v1/nothing", "{}"),
        ("/v1/fsck", "{\"rate\":\"fast\"}"),
        ("/v1/purge", "garbage"),
    ] {
        let answer = post(path, body).fetch().await?;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        assert_eq!(answer.json()?["failed"]["refused"], true, "{path}");
    }
    let get = Request::unix(Method::GET, socket, "/v1/stats");
    assert_eq!(get.fetch().await?.status, 405);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_a_long_path_takes_commands() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("a".repeat(100)).join("b".repeat(100));
    let ledge = Ledge::start_in(&Config::default(), &store).await?;
    let output = run(&store, Some(&ledge.config()), &["stats", "--json"]).await?;
    let stats = lines(&output, 0)?;
    assert_eq!(stats.first().context("a line")?["stats"]["objects"], 0);
    Ok(())
}
