//! A transfer that one node does for all.

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use ledge_tests::config::Upstream;
use ledge_tests::gate::Gate;
use ledge_tests::http::{Method, Streaming};
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::nodes::Common;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::script::{Act, Rule};
use ledge_tests::valkey::Valkey;

use super::{SOON, Site, pull};
use crate::site::{REPOSITORY, blob, gets, noise};

const NODES: usize = 3;
const CLIENTS: usize = 4;

async fn nodes(common: Common<'_>, origin: &Origin) -> Result<Vec<Ledge>> {
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(common.public(origin).await?);
    }
    Ok(nodes)
}

/// Some clients at each node pull at once; the origin sends every blob once.
async fn all_pull(nodes: &[Ledge], origin: &Origin, image: &Image) -> Result<()> {
    let pulls = nodes
        .iter()
        .flat_map(|node| (0..CLIENTS).map(move |_| pull(node, image)));
    try_join_all(pulls).await?;
    for object in &image.blobs {
        let count = gets(origin, object).len();
        ensure!(count == 1, "{count} GETs of {}", object.digest);
    }
    Ok(())
}

#[tokio::test]
async fn a_fleets_miss_is_one_transfer() -> Result<()> {
    let image = images::layered(1710, &[5_000_000, 700_000, 60_000])?;
    let site = Site::start(&image).await?;
    let nodes = nodes(site.all(), &site.origin).await?;
    all_pull(&nodes, &site.origin, &image).await
}

#[tokio::test]
async fn it_needs_no_bucket() -> Result<()> {
    let image = images::layered(1711, &[5_000_000, 700_000])?;
    let site = Site::start(&image).await?;
    let (origin, common) = (&site.origin, site.transfers());
    let nodes = nodes(common, origin).await?;
    all_pull(&nodes, origin, &image).await?;
    // Who comes a little later finds it at the node that has it.
    let late = common.public(origin).await?;
    pull(&late, &image).await?;
    for object in &image.blobs {
        assert_eq!(gets(origin, object).len(), 1);
    }
    Ok(())
}

/// Two nodes, whose clients have the first bytes of one blob.
struct Midway {
    origin: Origin,
    valkey: Valkey,
    holder: Ledge,
    other: Ledge,
    _gate: Gate,
    /// The first bytes, and the rest.
    pulls: Vec<(Bytes, Streaming)>,
}

const SENT: usize = 1_500_000;

async fn midway(object: &images::Object) -> Result<Midway> {
    let (origin, valkey) = (Origin::start().await?, Valkey::start().await?);
    origin.put_blob(REPOSITORY, object);
    let gate = Gate::held();
    let stall = Act::Stall(SENT, gate.clone());
    origin.rule(
        Rule::new(&object.digest, stall)
            .method(Method::GET)
            .times(1),
    );
    let common = Common {
        valkey: Some(&valkey),
        ..Common::default()
    };
    let (holder, other) = (common.public(&origin).await?, common.public(&origin).await?);
    let mut pulls = Vec::new();
    for node in [&holder, &other] {
        let mut pull = node.get(&blob(&object.digest)).send().await?;
        let start = pull.at_least(SENT / 2).await?;
        pulls.push((start, pull));
    }
    assert_eq!(gets(&origin, object).len(), 1);
    Ok(Midway {
        origin,
        valkey,
        holder,
        other,
        _gate: gate,
        pulls,
    })
}

/// The client of the node that lives gets every byte.
async fn others_is_whole(midway: &mut Midway, object: &images::Object) -> Result<()> {
    let (start, rest) = midway.pulls.pop().expect("the other's");
    let rest = tokio::time::timeout(SOON, rest.rest()).await??;
    ensure!(object.bytes.starts_with(&start), "other bytes at the start");
    ensure!(
        object.bytes[start.len()..] == rest.body,
        "other bytes at the end"
    );
    Ok(())
}

#[tokio::test]
async fn when_the_node_dies_that_fetches_another_one_takes_over() -> Result<()> {
    let object = noise(1712, 4_000_000);
    let mut midway = midway(&object).await?;
    midway.holder.kill();
    others_is_whole(&mut midway, &object).await?;
    // The other one goes on where the first one stopped.
    let gets = gets(&midway.origin, &object);
    assert_eq!(gets.len(), 2, "{gets:?}");
    assert!(gets[1].header("range").starts_with("bytes="), "{gets:?}");
    Ok(())
}

#[tokio::test]
async fn without_the_leases_a_node_goes_on() -> Result<()> {
    let object = noise(1713, 4_000_000);
    let mut midway = midway(&object).await?;
    midway.valkey.down();
    midway.holder.kill();
    others_is_whole(&mut midway, &object).await?;
    midway.other.line("going on without the leases").await?;
    Ok(())
}

/// The door between nodes opens to who shows the lease's pass, for this one object.
#[tokio::test]
async fn a_client_is_no_node() -> Result<()> {
    let object = noise(1714, 4_000_000);
    let midway = midway(&object).await?;
    let path = format!("/_ledge/objects/{}", object.digest);
    let ask = || midway.holder.get(&path);
    let guess = format!("Bearer {}", "0".repeat(32));
    for request in [
        ask(),
        ask().header("authorization", "Bearer "),
        ask().header("authorization", &guess),
        midway
            .holder
            .get("/_ledge/objects/x")
            .header("authorization", &guess),
        midway
            .holder
            .get("/_ledge/objects/")
            .header("authorization", &guess),
    ] {
        assert_eq!(request.fetch().await?.status, 404);
    }
    Ok(())
}

/// What one node fetches as somebody is not shown by another one to everybody.
#[tokio::test]
async fn a_shared_transfer_opens_no_private_repository() -> Result<()> {
    let image = images::layered(1715, &[3_000_000])?;
    let site = Site::start(&image).await?;
    site.origin
        .authenticate(Auth::Basic("me:secret".to_owned()));
    let (origin, common) = (&site.origin, site.transfers());
    let private = || Upstream::new("docker.io", origin.address()).credentials("me", "secret");
    let (one, other) = (common.node(private()).await?, common.node(private()).await?);
    pull(&one, &image).await?;
    let layer = &image.blobs[0];
    let path = format!("/v2/library/other/blobs/{}", layer.digest);
    let answer = other.get(&path).fetch().await?;
    assert_eq!(answer.status, 404, "{}", answer.text());
    pull(&other, &image).await?;
    assert_eq!(gets(origin, layer).len(), 1);
    Ok(())
}
