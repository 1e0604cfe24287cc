//! The token dance, and where a password may go.

use anyhow::{Context, Result};
use ledge_tests::config::{Config, Upstream};
use ledge_tests::http::Method;
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::registry::{self, Access, Registry};

use crate::site::{REPOSITORY, blob, is, manifest};

mod connections;
mod expired;
mod refused;
mod sources;

/// `user:password` of the scripted origins.
const CREDENTIALS: &str = "puller:s3cret-for-tests";

/// Pulls everything that the image has.
async fn pull(ledge: &Ledge, image: &Image) -> Result<()> {
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    for object in &image.blobs {
        is(&ledge.get(&blob(&object.digest)).fetch().await?, object)?;
    }
    Ok(())
}

/// An origin that wants tokens from `realm`.
async fn bearer(image: &Image, realm: &str, credentials: Option<&str>) -> Result<Origin> {
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", image);
    let realm = if realm.is_empty() {
        origin.url("/token")
    } else {
        realm.to_owned()
    };
    let credentials = credentials.map(str::to_owned);
    origin.authenticate(Auth::Bearer {
        realm,
        credentials,
        expires_in: 300,
    });
    Ok(origin)
}

fn with_password(origin: &Origin) -> Upstream {
    Upstream::new("docker.io", origin.address()).credentials(registry::USER, registry::PASSWORD)
}

#[tokio::test]
async fn an_anonymous_token_is_fetched_once_and_reused() -> Result<()> {
    let image = images::layered(700, &[50_000, 60_000, 70_000])?;
    let origin = bearer(&image, "", None).await?;
    let ledge = Ledge::start(&Config::docker(origin.address())).await?;
    pull(&ledge, &image).await?;
    let seen = origin.seen();
    let tokens: Vec<_> = seen
        .iter()
        .filter(|seen| seen.path.starts_with("/token"))
        .collect();
    assert_eq!(tokens.len(), 1, "{seen:?}");
    assert!(
        tokens[0].path.contains("service=test"),
        "{}",
        tokens[0].path
    );
    assert_eq!(tokens[0].header("authorization"), "");
    // One request without a token, to learn the challenge; none after it.
    let bare = seen
        .iter()
        .filter(|seen| seen.path.starts_with("/v2/") && seen.header("authorization").is_empty());
    assert_eq!(bare.count(), 1, "{seen:?}");
    Ok(())
}

/// PEERS 16: the end of a token is noticed.
#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew() -> Result<()> {
    let image = images::layered(710, &[50_000, 60_000])?;
    let origin = bearer(&image, "", None).await?;
    let ledge = Ledge::start(&Config::docker(origin.address())).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    origin.revoke();
    is(
        &ledge.get(&blob(&image.blobs[0].digest)).fetch().await?,
        &image.blobs[0],
    )?;
    is(
        &ledge.get(&blob(&image.blobs[1].digest)).fetch().await?,
        &image.blobs[1],
    )?;
    assert_eq!(origin.count(&Method::GET, "/token"), 2);
    Ok(())
}

#[tokio::test]
async fn a_token_may_cost_a_password() -> Result<()> {
    let image = images::small(720)?;
    let origin = bearer(&image, "", Some(CREDENTIALS)).await?;
    let ledge = Ledge::start(&Config::only(with_password(&origin))).await?;
    pull(&ledge, &image).await?;
    let seen = origin.seen();
    let token = seen
        .iter()
        .find(|seen| seen.path.starts_with("/token"))
        .context("a token request")?;
    assert_eq!(token.header("authorization"), registry::basic());
    let leaked = seen.iter().find(|seen| {
        seen.path.starts_with("/v2/") && seen.header("authorization").starts_with("Basic")
    });
    assert!(leaked.is_none(), "{leaked:?}");
    is_silent(&ledge).await
}

#[tokio::test]
async fn basic_authentication_with_a_real_registry() -> Result<()> {
    let image = images::layered(730, &[50_000, 60_000])?;
    let registry = Registry::start(Access::Password).await?;
    registry.push(REPOSITORY, "v1", &image).await?;
    let upstream = Upstream::new("docker.io", registry.address());
    let ledge = Ledge::start(&Config::only(
        upstream.credentials(registry::USER, registry::PASSWORD),
    ))
    .await?;
    pull(&ledge, &image).await?;
    is_silent(&ledge).await
}

#[tokio::test]
async fn a_wrong_password_is_an_error_of_access() -> Result<()> {
    let image = images::small(740)?;
    for auth in [Access::Password, Access::Open] {
        let (address, _registry, _origin) = if auth == Access::Password {
            let registry = Registry::start(auth).await?;
            (registry.address(), Some(registry), None)
        } else {
            let origin = bearer(&image, "", Some(CREDENTIALS)).await?;
            (origin.address(), None, Some(origin))
        };
        let upstream = Upstream::new("docker.io", address).credentials(registry::USER, "wrong");
        let ledge = Ledge::start(&Config::only(upstream)).await?;
        for path in [manifest("v1"), blob(&image.blobs[0].digest)] {
            let answer = ledge.get(&path).fetch().await?;
            assert!(
                [401, 403, 404].contains(&answer.status),
                "{path}: {} {}",
                answer.status,
                answer.text()
            );
            assert_ne!(answer.code(), "", "{path}: {}", answer.text());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_password_goes_to_no_realm_that_is_not_trusted() -> Result<()> {
    let image = images::small(750)?;
    let realm = bearer(&image, "", Some(CREDENTIALS)).await?;
    let origin = bearer(&image, &realm.url("/token"), Some(CREDENTIALS)).await?;
    let ledge = Ledge::start(&Config::only(with_password(&origin))).await?;
    let answer = ledge.get(&manifest("v1")).fetch().await?;
    assert!(answer.status >= 400, "{}", answer.text());
    let told: Vec<_> = realm
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").to_owned())
        .collect();
    assert!(told.iter().all(String::is_empty), "{told:?}");

    let trusting = Config::only(with_password(&origin).trusted(&[realm.address()]));
    let ledge = Ledge::start(&trusting).await?;
    pull(&ledge, &image).await?;
    let told: Vec<_> = realm
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").to_owned())
        .collect();
    assert!(told.contains(&registry::basic()), "{told:?}");
    is_silent(&ledge).await
}

/// The log has neither the password nor a token.
async fn is_silent(ledge: &Ledge) -> Result<()> {
    let log = ledge.log().await?.join("\n");
    for secret in [registry::PASSWORD, &registry::basic()[6..], "token-1"] {
        assert!(!log.contains(secret), "'{secret}' is in the log:\n{log}");
    }
    Ok(())
}
