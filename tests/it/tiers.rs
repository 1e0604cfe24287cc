//! Mirrors before mirrors: edge, region, origin.

use std::net::SocketAddr;

use anyhow::Result;
use futures::future::try_join_all;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::gate::Gate;
use ledge_tests::http::Method;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::site::{REPOSITORY, blob, is, manifest, noise};

/// A mirror of two registries, of which another mirror has both.
async fn mirror(address: SocketAddr, line: &str) -> Result<Ledge> {
    let upstream = |name| Upstream::new(name, address).line(line.to_owned());
    let config = Config::only(upstream("docker.io")).upstream(upstream("ghcr.io"));
    Ledge::start(&config).await
}

/// The edge, the region, and the origin of docker.io.
async fn chain(line: &str) -> Result<(Ledge, Ledge, Origin)> {
    let origin = Origin::start().await?;
    let config = Config::default()
        .head("default_upstream = \"ghcr.io\"")
        .upstream(Upstream::new("docker.io", origin.address()).line(line.to_owned()))
        // Nobody listens there: who asks it of a pull from docker.io fails.
        .upstream(Upstream::new("ghcr.io", SocketAddr::from(([127, 0, 0, 1], 9))));
    let region = Ledge::start(&config).await?;
    let edge = mirror(region.address(), line).await?;
    Ok((edge, region, origin))
}

/// PEERS 8: `ns` is passed on.
#[tokio::test]
async fn a_region_is_told_which_registry_is_meant_and_no_tier_asks_twice() -> Result<()> {
    let (edge, _region, origin) = chain("fresh = \"10m\"").await?;
    let image = images::layered(650, &[300_000; 3])?;
    origin.put(REPOSITORY, "v1", &image);
    let paths = image
        .blobs
        .iter()
        .map(|object| (blob(&object.digest), object));
    let all: Vec<_> = paths.chain([(manifest("v1"), image.root())]).collect();
    for _ in 0..3 {
        let pulls = all.iter().flat_map(|one| [one; 5]);
        let pulls = pulls.map(async |(path, object)| is(&edge.get(path).fetch().await?, object));
        try_join_all(pulls).await?;
    }
    for (path, _) in &all {
        assert_eq!(origin.count(&Method::GET, path), 1, "{path}");
    }
    assert!(
        origin
            .seen()
            .iter()
            .all(|seen| seen.header("via").contains(", 1.1 ledge-"))
    );
    Ok(())
}

#[tokio::test]
async fn the_first_bytes_pass_two_mirrors_before_the_last_are_sent() -> Result<()> {
    let (edge, _region, origin) = chain("").await?;
    let object = noise(651, 1 << 20);
    origin.put_blob(REPOSITORY, &object);
    let gate = Gate::held();
    origin.rule(Rule::new(&object.digest, Act::Stall(400_000, gate.clone())));
    let mut answer = edge.get(&blob(&object.digest)).send().await?;
    let first = answer.at_least(400_000).await?;
    gate.release();
    let rest = answer.rest().await?.body;
    assert!([first, rest].concat() == object.bytes, "wrong bytes");
    Ok(())
}

#[tokio::test]
async fn wrong_bytes_are_cut_on_the_whole_way() -> Result<()> {
    let (edge, region, origin) = chain("").await?;
    let object = noise(652, 1 << 20);
    origin.put_blob(REPOSITORY, &object);
    origin.rule(Rule::new(&object.digest, Act::Tamper));
    if let Ok(answer) = edge.get(&blob(&object.digest)).fetch().await {
        assert!(answer.status >= 500, "{}", answer.status);
    }
    for ledge in [edge, region] {
        let blobs = ledge.store().join("blobs");
        assert!(ledge_tests::files::under(&blobs).is_empty());
    }
    Ok(())
}

/// The edge counts on from the region's age: what the origin said is old for both at once.
#[tokio::test]
async fn what_is_known_of_freshness_is_passed_on() -> Result<()> {
    let (old, new) = (images::small(653)?, images::small(654)?);
    let (edge, region, origin) = chain("fresh = \"4s\"").await?;
    origin.put(REPOSITORY, "v1", &old);
    let through = format!("{}?ns=docker.io", manifest("v1"));
    is(&region.get(&through).fetch().await?, old.root())?;
    // Half of the time passes before the edge asks the region.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    is(&edge.get(&manifest("v1")).fetch().await?, old.root())?;
    origin.put(REPOSITORY, "v1", &new);
    // The other half, and a moment: were the edge to begin anew, it would be fresh there still.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    is(&edge.get(&manifest("v1")).fetch().await?, new.root())
}

/// PEERS 17: podman and Docker begin with a HEAD, and so does each tier.
#[tokio::test]
async fn a_head_first_breaks_no_chain() -> Result<()> {
    let (edge, _region, origin) = chain("fresh = \"10m\"").await?;
    let image = images::small(656)?;
    origin.put(REPOSITORY, "v1", &image);
    let layer = &image.blobs[0];
    for (path, object) in [
        (manifest("v1"), image.root()),
        (manifest(&image.root().digest), image.root()),
        (blob(&layer.digest), layer),
    ] {
        let head = edge.head(&path).fetch().await?;
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.header("docker-content-digest"), object.digest);
        let length = object.bytes.len().to_string();
        assert_eq!(head.header("content-length"), length, "{path}");
        is(&edge.get(&path).fetch().await?, object)?;
    }
    assert_eq!(origin.count(&Method::GET, "/manifests/"), 1);
    assert_eq!(origin.count(&Method::GET, "/blobs/"), 1);
    Ok(())
}

/// PEERS 10: on the whole way, with the origin gone and with the region gone.
#[tokio::test]
async fn copies_serve_in_each_tier() -> Result<()> {
    let (edge, mut region, origin) = chain("fresh = \"0s\"").await?;
    let image = images::small(657)?;
    origin.put(REPOSITORY, "v1", &image);
    let tags = format!("/v2/{REPOSITORY}/tags/list");
    let pull = async || {
        is(&edge.get(&manifest("v1")).fetch().await?, image.root())?;
        for object in &image.blobs {
            is(&edge.get(&blob(&object.digest)).fetch().await?, object)?;
        }
        anyhow::Ok(edge.get(&tags).fetch().await?.text())
    };
    let listed = pull().await?;
    origin.down().await?;
    assert_eq!(pull().await?, listed);
    region.kill();
    assert_eq!(pull().await?, listed);
    Ok(())
}

#[tokio::test]
async fn mirrors_that_lead_to_each_other_are_found_out() -> Result<()> {
    let door = TcpListener::bind("127.0.0.1:0").await?;
    let second = mirror(door.local_addr()?, "").await?;
    let first = mirror(second.address(), "").await?;
    let address = first.address();
    // Closes the circle: where the second one's way leads was not known before.
    tokio::spawn(async move {
        while let Ok((mut from, _)) = door.accept().await {
            tokio::spawn(async move {
                let mut to = TcpStream::connect(address).await?;
                copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    for path in [manifest("v1"), blob(&noise(655, 10).digest)] {
        let answer = first.get(&path).fetch().await?;
        // Who finds out says 508; the others say that their upstream failed.
        assert_eq!(answer.status, 502, "{path}: {}", answer.text());
    }
    let accesses = first.accesses().await?;
    let statuses: Vec<_> = accesses.iter().map(|access| access.status).collect();
    assert!(statuses.contains(&508), "{statuses:?}");
    Ok(())
}
