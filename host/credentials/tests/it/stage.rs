//! What a test stands on: a folder, variables, a clock, and a helper.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ledge_credentials::{Account, Credentials, Form, HelperName, Provider, Secret, Surroundings};
use secrecy::SecretString;
use tempfile::TempDir;

/// The upstream that has an account.
pub(crate) const UPSTREAM: &str = "upstream";

pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    process: FakeProcess,
}

/// Clones share it.
#[derive(Clone)]
struct FakeProcess(Arc<Mutex<State>>);

struct State {
    variables: HashMap<String, OsString>,
    now: Instant,
}

impl FakeProcess {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Surroundings for FakeProcess {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.state().variables.get(name).cloned()
    }

    fn now(&self) -> Instant {
        self.state().now
    }
}

impl Stage {
    /// A folder that is `PATH` and `HOME`.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let here: OsString = folder.path().into();
        let state = State {
            variables: ["PATH", "HOME"]
                .map(|name| (name.to_owned(), here.clone()))
                .into(),
            now: Instant::now(),
        };
        Self {
            folder,
            process: FakeProcess(Arc::new(Mutex::new(state))),
        }
    }

    pub(crate) fn set(&self, name: &str, value: impl Into<OsString>) {
        let mut state = self.process.state();
        state.variables.insert(name.to_owned(), value.into());
    }

    pub(crate) fn unset(&self, name: &str) {
        self.process.state().variables.remove(name);
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.process.state().now += time;
    }

    pub(crate) fn pass_seconds(&self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in place, for its owner only.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A pipe with a name.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo").success());
        path
    }

    /// The helper `docker-credential-NAME` does this, in the words of `sh`. `$here` is the stage's folder.
    pub(crate) fn helper(&self, name: &str, behaviour: &str) {
        self.write("behaviour", behaviour);
        let program = self.path(&format!("docker-credential-{name}"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/helper.sh");
        if !program.exists() {
            symlink(script, program).expect("a link");
        }
    }

    /// How often the helper was run, if its behaviour is to write a line to `runs`.
    pub(crate) fn runs(&self) -> usize {
        self.read("runs").lines().count()
    }

    pub(crate) fn credentials(&self, servers: &[&str], provider: Provider) -> Credentials {
        let account = Account {
            upstream: UPSTREAM.to_owned(),
            servers: servers.iter().map(|&name| name.to_owned()).collect(),
            provider,
        };
        Credentials::new([account], self.process.clone())
    }

    /// Of a file that holds an identity token.
    pub(crate) fn file_account(&self, path: PathBuf) -> Credentials {
        let form = Form::IdentityToken;
        self.credentials(&[], Provider::File { form, path })
    }

    pub(crate) fn helper_account(&self, servers: &[&str]) -> Credentials {
        let name = HelperName::parse("test").expect("a name");
        self.credentials(servers, Provider::Helper { name })
    }

    pub(crate) fn docker_account(&self, servers: &[&str], path: Option<PathBuf>) -> Credentials {
        self.credentials(servers, Provider::DockerConfig { path })
    }
}

pub(crate) fn token(text: &str) -> Secret {
    Secret::IdentityToken(text.into())
}

pub(crate) fn password(username: &str, password: &str) -> Secret {
    Secret::Password {
        username: username.to_owned(),
        password: SecretString::from(password),
    }
}

/// What the upstream has now.
pub(crate) async fn get(credentials: &Credentials) -> Option<Secret> {
    credentials.get(UPSTREAM).await.expect("no error")
}

/// Why the upstream has nothing.
pub(crate) async fn error(credentials: &Credentials) -> String {
    let answer = credentials.get(UPSTREAM).await;
    answer.expect_err("an error").to_string()
}
