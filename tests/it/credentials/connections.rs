//! Authorities, client certificates and proxies of upstreams.

use anyhow::Result;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::secure::Secure;

use super::pull;
use crate::site::{REPOSITORY, manifest};

async fn site(seed: u64) -> Result<(Origin, Image)> {
    let image = images::small(seed)?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    Ok((origin, image))
}

#[tokio::test]
async fn an_authority_is_believed_and_a_certificate_shown() -> Result<()> {
    let (origin, image) = site(770).await?;
    let secure = Secure::start(origin.address()).await?;
    let [certificate, key] = secure.identity();
    let authority = format!("ca_file = \"{}\"", secure.authority().display());
    let identity = format!(
        "client_certificate = \"{}\"\nclient_key = \"{}\"",
        certificate.display(),
        key.display()
    );
    let upstream = || Upstream::at("docker.io", &secure.url());
    for lines in [None, Some(&authority), Some(&identity)] {
        let upstream = lines.cloned().into_iter().fold(upstream(), Upstream::line);
        let ledge = Ledge::start(&Config::only(upstream)).await?;
        let answer = ledge.get(&manifest("v1")).fetch().await?;
        assert_eq!(answer.status, 502, "{lines:?}: {}", answer.text());
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
    let ledge = Ledge::start(&Config::only(upstream().line(authority).line(identity))).await?;
    pull(&ledge, &image).await
}

/// The origin is the proxy here: it is sent the whole URL, and looks at its path.
#[tokio::test]
async fn a_proxy_is_gone_through() -> Result<()> {
    let (origin, image) = site(771).await?;
    let proxy = format!("proxy = \"http://me:hunter2@{}\"", origin.address());
    let nowhere = || Upstream::at("docker.io", "http://nowhere.invalid");
    let ledge = Ledge::start(&Config::only(nowhere().line(proxy))).await?;
    pull(&ledge, &image).await?;
    let seen = origin.seen();
    assert!(!seen.is_empty());
    for request in &seen {
        assert_eq!(request.header("host"), "nowhere.invalid");
        assert_eq!(
            request.header("proxy-authorization"),
            "Basic bWU6aHVudGVyMg=="
        );
    }
    let log = ledge.log().await?.join("\n");
    assert!(!log.contains("hunter2"), "{log}");

    let variables = [("HTTP_PROXY", origin.address().to_string().into())];
    let ledge = Ledge::start_with(&Config::only(nowhere()), &variables).await?;
    pull(&ledge, &image).await
}

/// Only an upstream that is on this machine is reached past the environment's proxy without being told so.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_for_this_machine() -> Result<()> {
    let (origin, image) = site(772).await?;
    let proxy = Origin::start().await?;
    let variables = [("HTTP_PROXY", proxy.address().to_string().into())];
    let upstream = Upstream::new("docker.io", origin.address());
    let ledge = Ledge::start_with(&Config::only(upstream), &variables).await?;
    pull(&ledge, &image).await?;
    assert!(proxy.seen().is_empty(), "{:?}", proxy.seen());
    Ok(())
}
