//! From where credentials come, and what becomes of them while Ledge runs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::http::{Answer, Method};
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Grant, Origin, TokenService};
use serde_json::json;
use tempfile::TempDir;

use crate::site::{REPOSITORY, blob, is, manifest};

/// What no log line and no error may hold.
const SECRETS: [&str; 2] = ["hunter-one", "hunter-two"];

/// Far above the five seconds for which a helper is left alone after it was asked.
const SOON: Duration = Duration::from_secs(30);

/// An origin with one image, and a folder for the files of its credentials.
pub(super) struct Stage {
    pub(super) origin: Origin,
    pub(super) image: Image,
    folder: TempDir,
}

impl Stage {
    pub(super) async fn new(seed: u64, auth: Auth) -> Result<Self> {
        let image = images::layered(seed, &[50_000, 60_000])?;
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", &image);
        origin.authenticate(auth);
        Ok(Self {
            origin,
            image,
            folder: tempfile::tempdir()?,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file changes at once, as whoever rotates secrets should do it.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<()> {
        let fresh = self.path("fresh");
        fs::write(&fresh, content)?;
        Ok(fs::rename(fresh, self.path(name))?)
    }

    /// Every tag is asked for anew, and nothing that was refused is remembered.
    pub(super) fn config(&self, lines: &[String]) -> Config {
        let upstream = Upstream::new("docker.io", self.origin.address());
        let upstream = upstream.line("negative = \"0s\"\nfresh = \"0s\"".to_owned());
        let lines = lines.iter().cloned();
        Config::only(lines.fold(upstream, Upstream::line))
    }

    async fn start(&self, lines: &[String]) -> Result<Ledge> {
        Ledge::start(&self.config(lines)).await
    }

    /// Pulls, rotates, and pulls what is not stored yet until that works.
    async fn rotates(&self, ledge: &Ledge, rotate: impl FnOnce() -> Result<()>) -> Result<()> {
        is(
            &ledge.get(&manifest("v1")).fetch().await?,
            self.image.root(),
        )?;
        is(&self.blob(ledge, 0).await?, &self.image.blobs[0])?;
        rotate()?;
        let path = blob(&self.image.blobs[1].digest);
        let mut said = until(ledge, &path, |answer| answer.status == 200).await?;
        is(&said.pop().context("an answer")?, &self.image.blobs[1])?;
        // Meanwhile the origin did not let us in, and that is what was said.
        let refused = said
            .iter()
            .find(|answer| (answer.status, answer.code()) != (401, "UNAUTHORIZED".to_owned()));
        ensure!(refused.is_none(), "{refused:?}");
        is(
            &ledge.get(&manifest("v1")).fetch().await?,
            self.image.root(),
        )?;
        is_silent(ledge).await
    }

    async fn blob(&self, ledge: &Ledge, number: usize) -> Result<Answer> {
        let path = blob(&self.image.blobs[number].digest);
        ledge.get(&path).fetch().await
    }
}

/// Asks until the answer is such a one; all answers.
pub(super) async fn until(
    ledge: &Ledge,
    path: &str,
    is_it: fn(&Answer) -> bool,
) -> Result<Vec<Answer>> {
    let asked = async {
        let mut said = Vec::new();
        loop {
            let answer = ledge.get(path).fetch().await?;
            let last = is_it(&answer);
            said.push(answer);
            if last {
                return Ok(said);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, asked).await?
}

async fn is_silent(ledge: &Ledge) -> Result<()> {
    let log = ledge.log().await?.join("\n");
    for secret in SECRETS {
        let basic = STANDARD.encode(format!("puller:{secret}"));
        ensure!(!log.contains(secret) && !log.contains(&basic), "{log}");
    }
    ensure!(!log.contains("token-1"), "{log}");
    Ok(())
}

fn basic(password: &str) -> Auth {
    Auth::Basic(format!("puller:{password}"))
}

fn line(key: &str, path: &Path) -> String {
    format!("{key} = \"{}\"", path.display())
}

/// PEERS 16: rotation needs no restart.
#[tokio::test]
async fn a_password_file_is_rotated() -> Result<()> {
    let stage = Stage::new(760, basic(SECRETS[0])).await?;
    stage.write("password", &format!("{}\n", SECRETS[0]))?;
    let user = "username = \"puller\"".to_owned();
    let lines = [user, line("password_file", &stage.path("password"))];
    let ledge = stage.start(&lines).await?;
    let rotate = || {
        stage.origin.authenticate(basic(SECRETS[1]));
        stage.write("password", SECRETS[1])
    };
    stage.rotates(&ledge, rotate).await
}

#[tokio::test]
async fn a_password_of_the_environment() -> Result<()> {
    let stage = Stage::new(761, basic(SECRETS[0])).await?;
    let lines = ["username = \"puller\"", "password_env = \"HUB_PASSWORD\""].map(str::to_owned);
    let variables = [("HUB_PASSWORD", OsString::from(SECRETS[0]))];
    let ledge = Ledge::start_with(&stage.config(&lines), &variables).await?;
    is(
        &ledge.get(&manifest("v1")).fetch().await?,
        stage.image.root(),
    )?;
    is_silent(&ledge).await
}

#[tokio::test]
async fn a_registry_token_is_rotated() -> Result<()> {
    let stage = Stage::new(762, Auth::Token(SECRETS[0].to_owned())).await?;
    stage.write("token", SECRETS[0])?;
    let lines = [line("token_file", &stage.path("token"))];
    let ledge = stage.start(&lines).await?;
    let rotate = || {
        let seen = stage.origin.seen();
        // It is sent unasked: there is no question that would be answered 401 first.
        let all = seen
            .iter()
            .all(|seen| seen.header("authorization") == format!("Bearer {}", SECRETS[0]));
        ensure!(all && !seen.is_empty(), "{seen:?}");
        let token = SECRETS[1].to_owned();
        stage.origin.authenticate(Auth::Token(token));
        stage.write("token", SECRETS[1])
    };
    stage.rotates(&ledge, rotate).await
}

#[tokio::test]
async fn dockers_configuration_is_read_anew() -> Result<()> {
    let stage = Stage::new(763, basic(SECRETS[0])).await?;
    let config = |password: &str| {
        let auth = STANDARD.encode(format!("puller:{password}"));
        json!({ "auths": { "https://index.docker.io/v1/": { "auth": auth } } }).to_string()
    };
    stage.write("config.json", &config(SECRETS[0]))?;
    let lines = [line("docker_config", &stage.path("config.json"))];
    let ledge = stage.start(&lines).await?;
    let rotate = || {
        stage.origin.authenticate(basic(SECRETS[1]));
        stage.write("config.json", &config(SECRETS[1]))
    };
    stage.rotates(&ledge, rotate).await
}

/// A token service that wants this refresh token.
fn refreshing(origin: &Origin, token: &str) -> Auth {
    Auth::Service(TokenService {
        realm: origin.url("/oauth2/token"),
        service: "a registry",
        scope: "repository:{}:pull",
        grant: Grant::Refresh(token.to_owned()),
        answer: |token| json!({ "access_token": token, "expires_in": 3600, "refresh_token": "hunter-two" }),
    })
}

#[tokio::test]
async fn an_identity_token_is_exchanged_and_rotated() -> Result<()> {
    let stage = Stage::new(764, Auth::None).await?;
    stage
        .origin
        .authenticate(refreshing(&stage.origin, SECRETS[0]));
    let config = |token: &str| {
        let auth = STANDARD.encode("00000000-0000-0000-0000-000000000000:");
        let entry = json!({ "auth": auth, "identitytoken": token });
        json!({ "auths": { stage.origin.address().to_string(): entry } }).to_string()
    };
    stage.write("config.json", &config(SECRETS[0]))?;
    let variables = [("DOCKER_CONFIG", stage.folder.path().into())];
    let lines = ["docker_config = true".to_owned()];
    let ledge = Ledge::start_with(&stage.config(&lines), &variables).await?;
    let rotate = || {
        let posts = stage.origin.count(&Method::POST, "/oauth2/token");
        ensure!(posts == 1, "{posts} tokens for one repository");
        // The access token that was got with the old one passes no more, so it is not enough to keep using that.
        stage.origin.revoke();
        stage
            .origin
            .authenticate(refreshing(&stage.origin, SECRETS[1]));
        stage.write("config.json", &config(SECRETS[1]))
    };
    stage.rotates(&ledge, rotate).await?;
    let seen = stage.origin.seen();
    for request in &seen {
        let told = SECRETS.iter().any(|secret| request.path.contains(secret));
        ensure!(!told, "{request:?}");
    }
    let posted = seen.iter().find(|seen| seen.method == Method::POST);
    let posted = posted.context("a POST")?;
    let form = "application/x-www-form-urlencoded";
    assert_eq!(posted.header("content-type"), form);
    assert_eq!(
        String::from_utf8_lossy(&posted.body),
        "service=a%20registry&scope=repository%3Alibrary%2Fapp%3Apull&grant_type=refresh_token\
         &client_id=ledge&refresh_token=hunter-one"
    );
    Ok(())
}

/// Puts the helper into the folder; what `PATH` is then.
pub(super) fn helper(stage: &Stage) -> Result<OsString> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/credentials/helper.sh");
    symlink(program, stage.path("docker-credential-edge"))?;
    let old = std::env::var_os("PATH").context("PATH is set")?;
    let folders = std::env::split_paths(&old);
    let folders = std::iter::once(stage.folder.path().to_owned()).chain(folders);
    Ok(std::env::join_paths(folders)?)
}

pub(super) fn printed(password: &str) -> String {
    json!({ "ServerURL": "", "Username": "puller", "Secret": password }).to_string()
}

/// PEERS 16.
#[tokio::test]
async fn a_helper_is_asked_again_when_it_was_refused() -> Result<()> {
    let stage = Stage::new(765, basic(SECRETS[0])).await?;
    stage.write("answer", &printed(SECRETS[0]))?;
    let variables = [("PATH", helper(&stage)?)];
    let lines = ["credential_helper = \"edge\"".to_owned()];
    let ledge = Ledge::start_with(&stage.config(&lines), &variables).await?;
    let asked = fs::read_to_string(stage.path("asked"))?;
    assert_eq!(asked, stage.origin.address().to_string());
    let rotate = || {
        stage.origin.authenticate(basic(SECRETS[1]));
        stage.write("answer", &printed(SECRETS[1]))
    };
    stage.rotates(&ledge, rotate).await
}

#[tokio::test]
async fn while_a_helper_fails_what_is_stored_serves() -> Result<()> {
    let stage = Stage::new(766, basic(SECRETS[0])).await?;
    stage.write("answer", &printed(SECRETS[0]))?;
    let variables = [("PATH", helper(&stage)?)];
    let lines = ["credential_helper = \"edge\"".to_owned()];
    let ledge = Ledge::start_with(&stage.config(&lines), &variables).await?;
    let tag = manifest("v1");
    is(&ledge.get(&tag).fetch().await?, stage.image.root())?;

    // The origin wants another password, and the helper breaks.
    stage.origin.authenticate(basic(SECRETS[1]));
    stage.write("answer", "no JSON, but hunter-two")?;
    let path = blob(&stage.image.blobs[0].digest);
    let said = until(&ledge, &path, |answer| answer.status == 502).await?;
    let failed = said.last().context("an answer")?;
    assert_eq!(failed.code(), "UNAVAILABLE");
    assert!(
        failed.text().contains("upstream docker.io"),
        "{}",
        failed.text()
    );
    let stale = ledge.get(&tag).fetch().await?;
    is(&stale, stage.image.root())?;
    assert_eq!(stale.header("cache-status"), "ledge; hit; detail=stale");
    stage.origin.forget();
    assert_eq!(ledge.get(&path).fetch().await?.status, 502);
    let seen = stage.origin.seen();
    assert!(seen.is_empty(), "nobody asks without credentials: {seen:?}");

    stage.write("answer", &printed(SECRETS[1]))?;
    let said = until(&ledge, &path, |answer| answer.status == 200).await?;
    is(said.last().context("an answer")?, &stage.image.blobs[0])?;
    let is_asked = |answer: &Answer| answer.header("cache-status") == "ledge; fwd=stale";
    until(&ledge, &tag, is_asked).await?;
    let log = ledge.log().await?;
    let told = log
        .iter()
        .filter(|line| line.contains("no new credentials"));
    assert_eq!(told.count(), 1, "once for a run of failures: {log:#?}");
    is_silent(&ledge).await
}

/// It is the configuration that says that an upstream is private, and not what there is just now.
#[tokio::test]
async fn without_credentials_what_is_private_stays_so() -> Result<()> {
    let stage = Stage::new(767, Auth::None).await?;
    stage
        .origin
        .put("library/other", "v1", &images::small(768)?);
    stage.write("config.json", "{}")?;
    let lines = [line("docker_config", &stage.path("config.json"))];
    let ledge = stage.start(&lines).await?;
    for repository in [REPOSITORY, "library/other"] {
        let path = format!("/v2/{repository}/manifests/v1");
        assert_eq!(ledge.get(&path).fetch().await?.status, 200, "{path}");
    }
    is(&stage.blob(&ledge, 0).await?, &stage.image.blobs[0])?;
    let seen = stage.origin.seen();
    let bare = seen
        .iter()
        .all(|seen| seen.header("authorization").is_empty());
    assert!(bare, "{seen:?}");
    let digest = &stage.image.blobs[0].digest;
    let elsewhere = format!("/v2/library/other/blobs/{digest}");
    assert_eq!(ledge.get(&elsewhere).fetch().await?.status, 404);
    let listed = ledge.get("/v2/_catalog").fetch().await?.json()?;
    assert_eq!(listed["repositories"], json!([]));
    Ok(())
}
