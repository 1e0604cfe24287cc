//! Docker's configuration.

use std::fs;
use std::path::PathBuf;

use crate::stage::{Stage, UPSTREAM, error, get, password, token};

/// "robot:word" and "other:wort".
const ROBOT: &str = r#"{"auth": "cm9ib3Q6d29yZA=="}"#;
const OTHER: &str = r#"{"auth": "b3RoZXI6d29ydA=="}"#;

const PRINT_TOKEN: &str = r#"
    echo run >>"$here/runs"
    printf '{"ServerURL":"x","Username":"<token>","Secret":"from helper of %s"}' "$(cat)"
"#;
const PRINT_NOTHING: &str = "echo 'credentials not found in native keychain'; exit 1";

fn auths(key: &str, entry: &str) -> String {
    format!(r#"{{"auths": {{"{key}": {entry}}}}}"#)
}

impl Stage {
    fn config(&self, text: &str) -> PathBuf {
        self.write("config.json", text)
    }
}

#[tokio::test]
async fn entries_of_a_named_file() {
    let stage = Stage::new();
    let path = stage.config(&auths("https://ghcr.io/v1/", ROBOT));
    let credentials = stage.docker_account(&["nowhere", "ghcr.io"], Some(path.clone()));
    assert_eq!(get(&credentials).await, Some(password("robot", "word")));
    stage.config(&auths("ghcr.io", OTHER));
    stage.pass_seconds(1);
    assert_eq!(get(&credentials).await, Some(password("other", "wort")));
    stage.config("{}");
    stage.pass_seconds(1);
    assert_eq!(
        get(&credentials).await,
        None,
        "who is logged out is anonymous"
    );
}

#[tokio::test]
async fn docker_hub_by_every_name() {
    let stage = Stage::new();
    for key in [
        "https://index.docker.io/v1/",
        "docker.io",
        "index.docker.io",
    ] {
        let path = stage.config(&auths(key, ROBOT));
        let credentials = stage.docker_account(&["docker.io"], Some(path));
        assert_eq!(
            get(&credentials).await,
            Some(password("robot", "word")),
            "{key}"
        );
    }
}

#[tokio::test]
async fn the_file_is_where_docker_has_it() {
    let stage = Stage::new();
    let other = stage.path("other");
    for (folder, entry) in [(".docker", ROBOT), ("other", OTHER)] {
        fs::create_dir(stage.path(folder)).expect("a folder");
        stage.write(&format!("{folder}/config.json"), auths("host", entry));
    }
    let at_home = stage.docker_account(&["host"], None);
    assert_eq!(get(&at_home).await, Some(password("robot", "word")));
    stage.set("DOCKER_CONFIG", other);
    let elsewhere = stage.docker_account(&["host"], None);
    assert_eq!(get(&elsewhere).await, Some(password("other", "wort")));
    stage.set("DOCKER_CONFIG", "");
    stage.unset("HOME");
    let nowhere = stage.docker_account(&["host"], None);
    assert_eq!(
        error(&nowhere).await,
        "neither DOCKER_CONFIG nor HOME is set, so there is no Docker configuration: name its path"
    );
}

#[tokio::test]
async fn only_a_file_that_is_named_must_be_there() {
    let stage = Stage::new();
    let named = stage.docker_account(&["host"], Some(stage.path("config.json")));
    assert!(error(&named).await.contains("No such file"));
    let unnamed = stage.docker_account(&["host"], None);
    assert_eq!(get(&unnamed).await, None);
    fs::create_dir(stage.path(".docker")).expect("a folder");
    stage.write(".docker/config.json", auths("host", ROBOT));
    stage.pass_seconds(1);
    assert_eq!(
        get(&unnamed).await,
        Some(password("robot", "word")),
        "after a log-in"
    );
}

#[tokio::test]
async fn helpers_that_it_names() {
    let stage = Stage::new();
    stage.helper("test", PRINT_TOKEN);
    for (text, server, expected) in [
        (
            r#"{"credsStore": "test"}"#,
            "docker.io",
            "https://index.docker.io/v1/",
        ),
        (r#"{"credsStore": "test"}"#, "host:5000", "host:5000"),
        (
            r#"{"credsStore": "other", "credHelpers": {"host": "test"}}"#,
            "host",
            "host",
        ),
    ] {
        let path = stage.config(text);
        let credentials = stage.docker_account(&[server], Some(path));
        let expected = token(&format!("from helper of {expected}"));
        assert_eq!(get(&credentials).await, Some(expected), "{text}");
    }
}

#[tokio::test]
async fn a_helper_is_run_once_in_five_minutes_unless_the_file_changes() {
    let stage = Stage::new();
    stage.helper("test", PRINT_TOKEN);
    let path = stage.config(r#"{"credsStore": "test"}"#);
    let credentials = stage.docker_account(&["host"], Some(path));
    for _ in 0..300 {
        assert_eq!(get(&credentials).await, Some(token("from helper of host")));
        stage.pass_seconds(1);
    }
    assert_eq!(stage.runs(), 1);
    get(&credentials).await;
    assert_eq!(stage.runs(), 2);
    stage.config(&auths("host", ROBOT));
    stage.pass_seconds(1);
    assert_eq!(get(&credentials).await, Some(password("robot", "word")));
    assert_eq!(stage.runs(), 2);
}

#[tokio::test]
async fn what_a_helper_does_not_have_the_file_may_have() {
    let stage = Stage::new();
    stage.helper("test", PRINT_NOTHING);
    let text = format!(r#"{{"credsStore": "test", "auths": {{"host": {ROBOT}, "empty": {{}}}}}}"#);
    let path = stage.config(&text);
    let credentials = stage.docker_account(&["host"], Some(path.clone()));
    assert_eq!(get(&credentials).await, Some(password("robot", "word")));
    let credentials = stage.docker_account(&["empty"], Some(path));
    assert_eq!(get(&credentials).await, None);
}

#[tokio::test]
async fn what_cannot_be_used_is_said_with_its_place() {
    let stage = Stage::new();
    let path = stage.config("");
    let at = path.display();
    for (text, expected) in [
        (
            "{\n\"auths\": 1}".to_owned(),
            format!("{at} is not a Docker configuration: its JSON is wrong at line 2, column 10"),
        ),
        (
            auths("host", r#"{"auth": "*"}"#),
            format!("{at}: the entry of auths for \"host\" cannot be used: auth is not base64"),
        ),
        (
            r#"{"credsStore": "../test"}"#.to_owned(),
            format!(
                "{at}: \"../test\" is no name of a credential helper: letters, digits, '.', '_' and '-' only, \
                 without docker-credential-"
            ),
        ),
        (
            r#"{"credsStore": "absent"}"#.to_owned(),
            "docker-credential-absent: no such program in PATH".to_owned(),
        ),
        (
            " ".repeat(1024 * 1024 + 1),
            format!("cannot read credentials from {at}: it is longer than 1048576 bytes"),
        ),
    ] {
        let path = stage.config(&text);
        let credentials = stage.docker_account(&["host"], Some(path));
        assert_eq!(error(&credentials).await, expected);
    }
}

#[tokio::test]
async fn a_broken_entry_of_another_registry_does_no_harm() {
    let stage = Stage::new();
    let text = format!(r#"{{"auths": {{"host": {ROBOT}, "other": {{"auth": "*"}}}}}}"#);
    let credentials = stage.docker_account(&["host"], Some(stage.config(&text)));
    assert_eq!(get(&credentials).await, Some(password("robot", "word")));
    credentials.refused(UPSTREAM, Some(&password("robot", "word")));
    assert_eq!(get(&credentials).await, Some(password("robot", "word")));
}
