//! Secrets stay inside: no error, no log line and no `Debug` shows them.

use std::error::Error;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ledge_credentials::{Account, Credentials, Form, HelperName, Provider};
use tracing_subscriber::fmt::MakeWriter;

use crate::stage::{Stage, UPSTREAM, get, password};

const SECRET: &str = "hunter2";

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Listens to this thread.
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log).into_owned()
    }
}

fn assert_hidden(text: &str) {
    for form in [SECRET.to_owned(), encoded(SECRET), encoded("robot:hunter2")] {
        let form = form.trim_end_matches('=');
        assert!(!text.contains(form), "{text}");
    }
}

fn encoded(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// Everything that an error can say.
fn told(error: &(dyn Error + 'static)) -> String {
    let cause = error.source().map(told).unwrap_or_default();
    format!("{error}\n{error:?}\n{error:#?}\n{cause}")
}

async fn assert_error_hides(credentials: &Credentials) {
    let error = credentials.get(UPSTREAM).await.expect_err("an error");
    assert_hidden(&told(&error));
    assert_hidden(&format!("{credentials:?}"));
}

#[tokio::test]
async fn errors_about_bare_texts() {
    let (stage, log) = (Stage::new(), Log::default());
    let _listening = log.listen();
    let wrong = format!("{SECRET}\nsecond line");
    stage.set("WORD", &wrong);
    let robot = || Form::Password {
        username: "robot".to_owned(),
    };
    for provider in [
        Provider::Inline {
            form: robot(),
            secret: wrong.as_str().into(),
        },
        Provider::Environment {
            form: Form::IdentityToken,
            variable: "WORD".to_owned(),
        },
        Provider::File {
            form: Form::RegistryToken,
            path: stage.write("token", &wrong),
        },
    ] {
        assert_hidden(&format!("{provider:?}"));
        assert_error_hides(&stage.credentials(&[], provider)).await;
    }
    assert!(log.text().contains("no new credentials"), "{}", log.text());
    assert_hidden(&log.text());
}

#[tokio::test]
async fn errors_about_dockers_configuration() {
    let (stage, log) = (Stage::new(), Log::default());
    let _listening = log.listen();
    for (text, part) in [
        (r#"{"auths": "hunter2"}"#.to_owned(), "JSON"),
        (r#"{"auths": {"host": "hunter2"}}"#.to_owned(), "JSON"),
        (
            r#"{"auths": {"host": {"auth": ["hunter2"]}}}"#.to_owned(),
            "JSON",
        ),
        (
            r#"{"auths": {"host": {"password": "hunter2"}}"#.to_owned(),
            "JSON",
        ),
        ("hunter2".to_owned(), "JSON"),
        (entry("auth", SECRET), "auths"),
        (entry("auth", "robot:hunter2"), "auths"),
        (entry("auth", &encoded(SECRET)), "auths"),
        (entry("auth", &encoded("robot:hunter2\n")), "auths"),
        (entry("registrytoken", "hunter2 hunter2"), "auths"),
        (entry("identitytoken", "hunter2\\n"), "auths"),
        (entry("password", SECRET), "auths"),
    ] {
        let path = stage.write("config.json", &text);
        let credentials = stage.docker_account(&["host"], Some(path));
        let error = credentials.get(UPSTREAM).await.expect_err(&text);
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert_error_hides(&credentials).await;
    }
    assert!(log.text().contains("no new credentials"), "{}", log.text());
    assert_hidden(&log.text());
}

fn entry(field: &str, value: &str) -> String {
    format!(r#"{{"auths": {{"host": {{"{field}": "{value}"}}}}}}"#)
}

#[tokio::test]
async fn errors_about_helpers() {
    let (stage, log) = (Stage::new(), Log::default());
    let _listening = log.listen();
    for behaviour in [
        "echo hunter2",
        "echo hunter2; exit 1",
        r#"echo '"hunter2"'"#,
        r#"echo '{"Username":"robot","Secret":["hunter2"]}'"#,
        r#"echo '{"Username":"robot","Secret":"hunter2"} hunter2'"#,
        r#"echo '{"Username":"robot","Secret":"hunter2\n"}'"#,
        r#"echo '{"Username":"a:b","Secret":"hunter2"}'"#,
        r#"echo '{"Username":"robot","Secret":"hunter2"}'; exit 1"#,
        "yes hunter2",
    ] {
        stage.helper("test", behaviour);
        assert_error_hides(&stage.helper_account(&["host"])).await;
    }
    assert!(log.text().contains("no new credentials"), "{}", log.text());
    assert_hidden(&log.text());
}

#[tokio::test]
async fn what_is_right() {
    let stage = Stage::new();
    let form = || Form::Password {
        username: "robot".to_owned(),
    };
    let account = Account {
        upstream: UPSTREAM.to_owned(),
        servers: Vec::new(),
        provider: Provider::Inline {
            form: form(),
            secret: SECRET.into(),
        },
    };
    assert_hidden(&format!("{account:?} {account:#?}"));
    let credentials = stage.credentials(&[], account.provider);
    let secret = get(&credentials).await;
    assert_eq!(secret, Some(password("robot", SECRET)));
    assert_hidden(&format!("{secret:?} {secret:#?} {credentials:?}"));
    assert!(format!("{secret:?}").contains("robot"));
    let name = HelperName::parse("test").expect("a name");
    assert_eq!(format!("{name}"), "test");
}

#[tokio::test]
async fn a_file_that_others_may_use_is_told_once() {
    for (mode, expected) in [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o620, 1)] {
        let (stage, log) = (Stage::new(), Log::default());
        let _listening = log.listen();
        let path = stage.write("token", SECRET);
        let credentials = stage.file_account(path.clone());
        for word in [SECRET, "another one", "a third of other length"] {
            stage.write("token", word);
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode).expect("permissions");
            stage.pass_seconds(1);
            get(&credentials).await;
        }
        let warnings = log.text().matches("chmod 600").count();
        assert_eq!(warnings, expected, "{mode:o}: {}", log.text());
        assert_hidden(&log.text());
    }
}

#[tokio::test]
async fn a_row_of_failures_is_told_once() {
    let (stage, log) = (Stage::new(), Log::default());
    let _listening = log.listen();
    let credentials = stage.file_account(stage.path("token"));
    for _ in 0..10 {
        assert_error_hides(&credentials).await;
        stage.pass_seconds(1);
    }
    assert_eq!(log.text().matches("WARN").count(), 1, "{}", log.text());
    assert_eq!(
        log.text().matches("No such file").count(),
        1,
        "{}",
        log.text()
    );
}
