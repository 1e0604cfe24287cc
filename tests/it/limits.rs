//! Bounds on what is taken from origins.

use anyhow::{Context, Result};
use ledge_tests::config::{Config, Upstream};
use ledge_tests::gate::Gate;
use ledge_tests::http::Method;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};

use crate::site::{REPOSITORY, Site, asked, blob, hit, is, noise};

#[tokio::test(flavor = "multi_thread")]
async fn one_transfer_an_origin_comes_after_the_other() -> Result<()> {
    let objects = [1400, 1401, 1402].map(|seed| noise(seed, 2_000_000));
    let (docker, github) = (Origin::start().await?, Origin::start().await?);
    for object in &objects[..2] {
        docker.put_blob(REPOSITORY, object);
    }
    github.put_blob(REPOSITORY, &objects[2]);
    let config = Config::docker(docker.address())
        .setting("limits", "transfers_per_origin = 1")
        .upstream(Upstream::new("ghcr.io", github.address()));
    let ledge = Ledge::start(&config).await?;

    let gate = Gate::held();
    let rule = Rule::new(&objects[0].digest, Act::Stall(100_000, gate.clone()));
    docker.rule(rule.method(Method::GET));
    let first = ledge.get(&blob(&objects[0].digest)).send().await?;
    let second = tokio::spawn(ledge.get(&blob(&objects[1].digest)).fetch());
    // Who wants the same needs no turn, and another upstream has its own.
    let same = ledge.get(&blob(&objects[0].digest)).send().await?;
    let elsewhere = format!("{}?ns=ghcr.io", blob(&objects[2].digest));
    is(&ledge.get(&elsewhere).fetch().await?, &objects[2])?;
    assert_eq!(docker.count(&Method::GET, &objects[1].digest), 0);
    gate.release();
    is(&first.rest().await?, &objects[0])?;
    is(&same.rest().await?, &objects[0])?;
    is(&second.await?.context("the second")?, &objects[1])?;
    for object in &objects[..2] {
        assert_eq!(asked(&docker, object), [""]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_fails_gives_its_turn_back() -> Result<()> {
    let objects = [1410, 1411].map(|seed| noise(seed, 2_000_000));
    let site = Site::of(&objects[0], |config| {
        config.setting("limits", "transfers_per_origin = 1")
    })
    .await?;
    site.origin.put_blob(REPOSITORY, &objects[1]);
    let gate = Gate::held();
    for act in [Act::Stall(100_000, gate.clone()), Act::Status(404, "{}")] {
        let rule = Rule::new(&objects[0].digest, act).times(1);
        site.origin.rule(rule);
    }
    let first = site.ledge.get(&blob(&objects[0].digest)).send().await?;
    let second = tokio::spawn(site.ledge.get(&blob(&objects[1].digest)).fetch());
    gate.cut();
    first.rest().await.expect_err("it is cut, and then gone");
    is(&second.await??, &objects[1])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bandwidth_changes_no_byte() -> Result<()> {
    for line in [
        "bandwidth_per_origin = \"8MiB\"",
        "bandwidth = \"8MiB\"\nbandwidth_per_origin = \"4MiB\"",
    ] {
        let object = noise(1420, 3_000_000);
        let site = Site::of(&object, |config| config.setting("limits", line)).await?;
        is(&site.blob(&object.digest).await?, &object)?;
        is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
        assert_eq!(asked(&site.origin, &object), [""], "{line}");
    }
    Ok(())
}
