//! The registries of the world, and how each asks who is there.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};
use ledge_tests::config::{Config, Upstream};
use ledge_tests::http::Method;
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Grant, Origin, Seen, TokenService};
use ledge_tests::registry::{self, Access, Registry};
use serde_json::json;

use crate::site::{REPOSITORY, blob, is, manifest};

/// `user:password` of the scripted ones.
const CREDENTIALS: &str = "puller:s3cret-for-tests";

/// Pulls everything, and then the tag again, so that what was learned is used.
async fn pull(ledge: &Ledge, image: &Image) -> Result<()> {
    for _ in 0..2 {
        is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    }
    for object in &image.blobs {
        is(&ledge.get(&blob(&object.digest)).fetch().await?, object)?;
    }
    let log = ledge.log().await?.join("\n");
    assert!(!log.contains(registry::PASSWORD), "{log}");
    Ok(())
}

/// Every tag is asked for anew.
fn config(upstream: Upstream) -> Config {
    Config::only(upstream.line("fresh = \"0s\"".to_owned()))
}

fn user(upstream: Upstream) -> Upstream {
    upstream.credentials(registry::USER, registry::PASSWORD)
}

async fn origin(image: &Image) -> Result<Origin> {
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", image);
    Ok(origin)
}

/// The requests for tokens.
fn tokens(origin: &Origin) -> Vec<Seen> {
    let mut seen = origin.seen();
    seen.retain(|seen| !seen.path.starts_with("/v2/"));
    seen
}

/// How often the registry itself was asked without anything.
fn bare(origin: &Origin) -> usize {
    let seen = origin.seen();
    let bare = seen
        .iter()
        .filter(|seen| seen.path.starts_with("/v2/") && seen.header("authorization").is_empty());
    bare.count()
}

/// Distribution 2.8 with htpasswd: Basic, and the real thing.
#[tokio::test]
async fn debians_registry_with_htpasswd() -> Result<()> {
    let image = images::layered(780, &[50_000, 60_000])?;
    let registry = Registry::start(Access::Password).await?;
    registry.push(REPOSITORY, "v1", &image).await?;
    let upstream = Upstream::new("docker.io", registry.address());
    let ledge = Ledge::start(&config(user(upstream))).await?;
    pull(&ledge, &image).await?;
    let anonymous = Upstream::new("docker.io", registry.address());
    let ledge = Ledge::start(&config(anonymous)).await?;
    let answer = ledge.get(&manifest("v1")).fetch().await?;
    assert_eq!(
        (answer.status, answer.code()),
        (401, "UNAUTHORIZED".to_owned())
    );
    Ok(())
}

/// A token service on a host of its own, which gives `token` and `access_token` alike. The
/// password goes there if that host is trusted.
#[tokio::test]
async fn docker_hub() -> Result<()> {
    let image = images::small(781)?;
    let (hub, service) = (origin(&image).await?, Origin::start().await?);
    let auth = Auth::Service(TokenService {
        realm: service.url("/token"),
        service: "registry.docker.io",
        scope: "repository:{}:pull",
        grant: Grant::Password(CREDENTIALS.to_owned()),
        answer: |token| {
            json!({
                "token": token, "access_token": token, "expires_in": 300,
                "issued_at": "2026-01-01T00:00:00.000000000Z",
            })
        },
    });
    hub.authenticate(auth.clone());
    service.authenticate(auth);
    let upstream = user(Upstream::new("docker.io", hub.address())).trusted(&[service.address()]);
    let ledge = Ledge::start(&config(upstream)).await?;
    pull(&ledge, &image).await?;
    let asked = service.seen();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(
        asked[0].path,
        "/token?service=registry.docker.io&scope=repository%3Alibrary%2Fapp%3Apull"
    );
    assert_eq!(asked[0].header("authorization"), registry::basic());
    assert_eq!(bare(&hub), 1);
    Ok(())
}

/// A token for everybody, and nothing without one. How long it lasts is not said.
#[tokio::test]
async fn github_packages() -> Result<()> {
    let image = images::small(782)?;
    let ghcr = origin(&image).await?;
    ghcr.authenticate(Auth::Service(TokenService {
        realm: ghcr.url("/token"),
        service: "ghcr.io",
        scope: "repository:user/image:pull",
        grant: Grant::Anyone,
        answer: |token| json!({ "token": token }),
    }));
    let ledge = Ledge::start(&config(Upstream::new("docker.io", ghcr.address()))).await?;
    pull(&ledge, &image).await?;
    let asked = tokens(&ghcr);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(
        asked[0]
            .path
            .ends_with("scope=repository%3Alibrary%2Fapp%3Apull")
    );
    assert_eq!((asked[0].header("authorization"), bare(&ghcr)), ("", 1));
    Ok(())
}

/// Basic with a long password that a helper gives, and that lasts twelve hours.
#[tokio::test]
async fn amazon_ecr() -> Result<()> {
    let image = images::small(783)?;
    let ecr = origin(&image).await?;
    let password = "eyJwYXlsb2FkIjoi".repeat(150);
    ecr.authenticate(Auth::Basic(format!("AWS:{password}")));
    let folder = tempfile::tempdir()?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/credentials/helper.sh");
    symlink(program, folder.path().join("docker-credential-ecr-login"))?;
    let printed = json!({ "ServerURL": "", "Username": "AWS", "Secret": password });
    fs::write(folder.path().join("answer"), printed.to_string())?;
    let system = std::env::var_os("PATH").context("PATH is set")?;
    let folders = std::env::split_paths(&system);
    let path = std::env::join_paths(std::iter::once(folder.path().to_owned()).chain(folders))?;
    let variables: [(&str, OsString); 1] = [("PATH", path)];
    let upstream = Upstream::new("docker.io", ecr.address());
    let upstream = upstream.line("credential_helper = \"ecr-login\"".to_owned());
    let ledge = Ledge::start_with(&config(upstream), &variables).await?;
    pull(&ledge, &image).await?;
    assert_eq!(bare(&ecr), 1, "that it wants Basic is asked once");
    let log = ledge.log().await?.join("\n");
    assert!(!log.contains("eyJwYXlsb2Fk"), "{log}");
    Ok(())
}

/// A path of its own, a list of scopes in the challenge, and an empty `access_token` beside the token.
#[tokio::test]
async fn harbor() -> Result<()> {
    let image = images::small(784)?;
    let harbor = origin(&image).await?;
    harbor.authenticate(Auth::Service(TokenService {
        realm: harbor.url("/service/token"),
        service: "harbor-registry",
        scope: "repository:{}:pull repository:library/base:pull,push registry:catalog:*",
        grant: Grant::Password(CREDENTIALS.to_owned()),
        answer: |token| {
            json!({
                "token": token, "access_token": "", "expires_in": 1800,
                "issued_at": "2026-01-01T00:00:00Z",
            })
        },
    }));
    let upstream = user(Upstream::new("docker.io", harbor.address()));
    let ledge = Ledge::start(&config(upstream)).await?;
    pull(&ledge, &image).await?;
    let asked = tokens(&harbor);
    assert_eq!(asked.len(), 1, "{asked:?}");
    // Nothing but what is needed: to pull from this repository.
    assert_eq!(
        asked[0].path,
        "/service/token?service=harbor-registry&scope=repository%3Alibrary%2Fapp%3Apull"
    );
    assert_eq!(asked[0].method, Method::GET);
    Ok(())
}

/// An identity token, as `az acr login` and `docker login` with a browser leave it: exchanged by POST.
#[tokio::test]
async fn azure_container_registry() -> Result<()> {
    let image = images::small(785)?;
    let azure = origin(&image).await?;
    azure.authenticate(Auth::Service(TokenService {
        realm: azure.url("/oauth2/token"),
        service: "example.azurecr.io",
        scope: "repository:{}:pull",
        grant: Grant::Refresh(registry::PASSWORD.to_owned()),
        answer: |token| json!({ "access_token": token }),
    }));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("config.json");
    let entry = json!({ "identitytoken": registry::PASSWORD });
    let content = json!({ "auths": { azure.address().to_string(): entry } });
    fs::write(&file, content.to_string())?;
    let upstream = Upstream::new("docker.io", azure.address());
    let upstream = upstream.line(format!("docker_config = \"{}\"", file.display()));
    let ledge = Ledge::start(&config(upstream)).await?;
    pull(&ledge, &image).await?;
    let asked = tokens(&azure);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(
        (&asked[0].method, asked[0].path.as_str()),
        (&Method::POST, "/oauth2/token")
    );
    Ok(())
}
