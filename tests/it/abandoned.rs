//! What becomes of a transfer that every client has left.

use anyhow::Result;
use ledge_tests::config::Config;
use ledge_tests::gate::Gate;
use ledge_tests::http::Method;
use ledge_tests::images::Object;
use ledge_tests::script::{Act, Rule};

use crate::site::{Site, asked, blob, hit, is, noise};

/// Several checkpoints of the hash.
const SIZE: usize = 6_000_000;

/// Ledge with these settings, and a client that hung up after `count` bytes.
async fn left(
    object: &Object,
    settings: impl FnOnce(Config) -> Config,
    count: usize,
) -> Result<(Site, Gate)> {
    let site = Site::of(object, settings).await?;
    let gate = Gate::held();
    let rule = Rule::new(&object.digest, Act::Stall(count, gate.clone()));
    site.origin.rule(rule.method(Method::GET).times(1));
    let mut client = site.ledge.get(&blob(&object.digest)).send().await?;
    client.at_least(count).await?;
    drop(client);
    // Written when the body was given up.
    site.ledge.line("complete=false").await?;
    Ok((site, gate))
}

fn stop(config: Config) -> Config {
    config.setting("transfer", "abandoned = \"stop\"")
}

fn half(config: Config) -> Config {
    config.setting("transfer", "abandoned = \"50%\"")
}

/// Fails unless the transfer went on: one request, and the object is stored.
async fn went_on(site: &Site, gate: &Gate, object: &Object) -> Result<()> {
    gate.release();
    is(&hit(&site.ledge, &blob(&object.digest)).await?, object)?;
    assert_eq!(asked(&site.origin, object), [""]);
    Ok(())
}

/// Fails unless the transfer ended, and the next client costs no more than the rest.
async fn stopped(site: &Site, object: &Object, count: usize) -> Result<()> {
    // The gate is still held: the origin's answer ends because nobody reads it.
    site.origin.idle().await;
    is(&site.blob(&object.digest).await?, object)?;
    let rest = format!("bytes={count}-");
    assert_eq!(asked(&site.origin, object), [String::new(), rest]);
    is(&hit(&site.ledge, &blob(&object.digest)).await?, object)
}

/// PEERS 3: also when nobody is left.
#[tokio::test]
async fn it_goes_on_by_default() -> Result<()> {
    let object = noise(1300, SIZE);
    let (site, gate) = left(&object, |config| config, 100_000).await?;
    went_on(&site, &gate, &object).await
}

#[tokio::test]
async fn it_stops_if_so_configured() -> Result<()> {
    let object = noise(1310, SIZE);
    let (site, _gate) = left(&object, stop, 3_500_000).await?;
    stopped(&site, &object, 3_500_000).await
}

#[tokio::test]
async fn under_its_share_it_stops() -> Result<()> {
    let object = noise(1320, SIZE);
    let (site, _gate) = left(&object, half, 2_900_000).await?;
    stopped(&site, &object, 2_900_000).await
}

#[tokio::test]
async fn over_its_share_it_goes_on() -> Result<()> {
    let object = noise(1330, SIZE);
    let (site, gate) = left(&object, half, 3_100_000).await?;
    went_on(&site, &gate, &object).await
}

#[tokio::test]
async fn it_goes_on_while_one_client_stays() -> Result<()> {
    let object = noise(1340, SIZE);
    let site = Site::of(&object, stop).await?;
    let gate = Gate::held();
    let rule = Rule::new(&object.digest, Act::Stall(1_000_000, gate.clone()));
    site.origin.rule(rule.method(Method::GET));
    let mut first = site.ledge.get(&blob(&object.digest)).send().await?;
    let second = site.ledge.get(&blob(&object.digest)).send().await?;
    first.at_least(1_000_000).await?;
    drop(first);
    site.ledge.line("complete=false").await?;
    gate.release();
    is(&second.rest().await?, &object)?;
    assert_eq!(asked(&site.origin, &object), [""]);
    Ok(())
}
