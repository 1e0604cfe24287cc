//! What lasts as long as the process.

use ledge_credentials::{Credentials, Form, Process, Provider};

use crate::stage::{Stage, UPSTREAM, error, get, password, token};

fn robot() -> Form {
    Form::Password {
        username: "robot".to_owned(),
    }
}

fn inline(form: Form, secret: &str) -> Provider {
    Provider::Inline {
        form,
        secret: secret.into(),
    }
}

fn variable(name: &str) -> Provider {
    Provider::Environment {
        form: robot(),
        variable: name.to_owned(),
    }
}

#[tokio::test]
async fn an_upstream_without_an_account_is_anonymous() {
    let credentials = Credentials::new([], Process);
    assert_eq!(get(&credentials).await, None);
    credentials.refused(UPSTREAM, None);
}

#[tokio::test]
async fn the_configuration() {
    let stage = Stage::new();
    let credentials = stage.credentials(&[], inline(robot(), "word"));
    assert_eq!(get(&credentials).await, Some(password("robot", "word")));
    credentials.refused(UPSTREAM, Some(&password("robot", "word")));
    assert_eq!(get(&credentials).await, Some(password("robot", "word")));
    assert_eq!(
        credentials.get("another").await.expect("no error"),
        None,
        "only the upstream that it is for"
    );
    let credentials = stage.credentials(&[], inline(Form::IdentityToken, "ein töken"));
    assert_eq!(get(&credentials).await, Some(token("ein töken")));
    let credentials = stage.credentials(&[], inline(Form::RegistryToken, "ein töken"));
    assert_eq!(
        error(&credentials).await,
        "the configured credentials cannot be sent: the token has other characters than visible ASCII"
    );
}

#[tokio::test]
async fn variables() {
    let stage = Stage::new();
    stage.set("WORD", "from the environment");
    let credentials = stage.credentials(&[], variable("WORD"));
    assert_eq!(
        get(&credentials).await,
        Some(password("robot", "from the environment"))
    );
    for (value, expected) in [
        (
            None,
            "the environment variable WORD is not set, or is empty",
        ),
        (
            Some(""),
            "the environment variable WORD is not set, or is empty",
        ),
        (
            Some("a\nb"),
            "the environment variable WORD cannot be sent: the password or token has control characters, or more than one line",
        ),
    ] {
        match value {
            Some(value) => stage.set("WORD", value),
            None => stage.unset("WORD"),
        }
        let credentials = stage.credentials(&[], variable("WORD"));
        assert_eq!(error(&credentials).await, expected);
    }
}

#[tokio::test]
async fn the_process_has_variables() {
    let account = ledge_credentials::Account {
        upstream: UPSTREAM.to_owned(),
        servers: Vec::new(),
        provider: variable("PATH"),
    };
    let credentials = Credentials::new([account], Process);
    let path = std::env::var("PATH").expect("every process has one");
    assert_eq!(get(&credentials).await, Some(password("robot", &path)));
}
