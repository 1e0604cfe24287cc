use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::SecretString;

use super::{DockerConfig, EntryFault, Step};
use crate::error::Position;
use crate::secret::{Secret, Unusable};
use crate::server::Server;

fn config(text: &str) -> DockerConfig {
    DockerConfig::parse(text.as_bytes()).expect("a configuration")
}

/// The steps, as a person would write them down.
fn steps(text: &str, servers: &[&str]) -> Vec<String> {
    let servers: Vec<Server> = servers.iter().map(|name| Server::new(name)).collect();
    let config = config(text);
    config
        .steps(&servers)
        .map(|step| match step {
            Step::Helper { name, server } => {
                format!(
                    "{} {server}",
                    name.map_or("-".to_owned(), |name| name.to_string())
                )
            }
            Step::Entry { key, .. } => key.to_owned(),
        })
        .collect()
}

#[test]
fn where_to_look() {
    let text = r#"{
        "auths": {"a.example": {}, "https://b.example/v1/": {}, "c.example": null},
        "credHelpers": {"b.example": "own", "plain.example": "", "bad.example": "../x"},
        "credsStore": "all"
    }"#;
    for (server, expected) in [
        ("a.example", vec!["all a.example", "a.example"]),
        ("b.example", vec!["own b.example", "https://b.example/v1/"]),
        ("c.example", vec!["all c.example"]),
        ("plain.example", vec![]),
        ("bad.example", vec!["- bad.example"]),
        ("docker.io", vec!["all https://index.docker.io/v1/"]),
    ] {
        assert_eq!(steps(text, &[server]), expected, "{server}");
    }
    let several = steps(
        r#"{"auths": {"one": {}, "two": {}}}"#,
        &["two", "three", "one"],
    );
    assert_eq!(several, ["two", "one"]);
    let own = steps(
        r#"{"credHelpers": {"docker.io": "own"}}"#,
        &["registry-1.docker.io"],
    );
    assert_eq!(own, ["own docker.io"]);
}

#[test]
fn files_that_say_nothing() {
    for text in [
        "",
        " \n",
        "{}",
        r#"{"auths": null, "credHelpers": null, "credsStore": null}"#,
    ] {
        assert!(steps(text, &["ghcr.io"]).is_empty(), "{text:?}");
    }
}

#[test]
fn what_is_no_configuration_is_placed_and_not_repeated() {
    for (text, line, column) in [
        ("{\n  \"auths\": \"hunter2\"\n}", 2, 20),
        ("[1]", 1, 2),
        ("{", 1, 1),
    ] {
        let fault = DockerConfig::parse(text.as_bytes()).expect_err("no configuration");
        assert_eq!(fault, Position { line, column }, "{text:?}");
    }
}

fn entry(json: &str) -> Result<Option<Secret>, EntryFault> {
    let config = config(&format!(r#"{{"auths": {{"host": {json}}}}}"#));
    let servers = [Server::new("host")];
    let Some(Step::Entry { entry, .. }) = config.steps(&servers).next() else {
        panic!("there is an entry")
    };
    entry.secret()
}

fn auth(decoded: &[u8]) -> String {
    format!(r#"{{"auth": "{}"}}"#, BASE64_STANDARD.encode(decoded))
}

#[test]
fn what_entries_say() {
    let password = |username: &str, password: &str| {
        Ok(Some(Secret::Password {
            username: username.to_owned(),
            password: password.into(),
        }))
    };
    let both = |field: &str| format!(r#"{{"auth": "MDA6", "{field}": "token"}}"#);
    let token = || SecretString::from("token");
    for (json, expected) in [
        ("{}".to_owned(), Ok(None)),
        (r#"{"auth": "", "email": "x"}"#.to_owned(), Ok(None)),
        (auth(b"robot:pass:word"), password("robot", "pass:word")),
        (
            auth("robot:pässword".as_bytes()),
            password("robot", "pässword"),
        ),
        (auth(b"robot:password\0\0"), password("robot", "password")),
        (
            r#"{"username": "robot", "password": "word"}"#.to_owned(),
            password("robot", "word"),
        ),
        (
            both("identitytoken"),
            Ok(Some(Secret::IdentityToken(token()))),
        ),
        (
            both("registrytoken"),
            Ok(Some(Secret::RegistryToken(token()))),
        ),
        (r#"{"auth": "*"}"#.to_owned(), Err(EntryFault::NotBase64)),
        (auth(b"robot"), Err(EntryFault::NoColon)),
        (auth(b":word"), Err(Unusable::NoUserName.into())),
        (auth(b"robot:"), Err(Unusable::Empty.into())),
        (auth(b"robot:\xff"), Err(Unusable::NotUtf8.into())),
        (auth(b"robot:a\nb"), Err(Unusable::Control.into())),
        (
            r#"{"password": "word"}"#.to_owned(),
            Err(Unusable::NoUserName.into()),
        ),
    ] {
        assert_eq!(entry(&json), expected, "{json}");
    }
}
