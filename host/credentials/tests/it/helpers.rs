//! Helpers: real programs that do what the test writes.

use std::fs;
use std::path::Path;

use crate::stage::{Stage, UPSTREAM, error, get, password, token};

/// Prints a password that is in a file, and notes what it was asked.
const PRINT_PASSWORD: &str = r#"
    printf '%s %s\n' "$1" "$(cat)" >>"$here/runs"
    printf '{"ServerURL":"x","Username":"robot","Secret":"%s"}\n' "$(cat "$here/word")"
"#;

#[tokio::test]
async fn it_is_asked_by_dockers_protocol() {
    let stage = Stage::new();
    stage.helper("test", PRINT_PASSWORD);
    stage.write("word", "one");
    let credentials = stage.helper_account(&["https://docker.io", "never"]);
    assert_eq!(get(&credentials).await, Some(password("robot", "one")));
    assert_eq!(stage.read("runs"), "get https://index.docker.io/v1/\n");
}

#[tokio::test]
async fn its_answer_counts_for_five_minutes_or_until_it_is_refused() {
    let stage = Stage::new();
    stage.helper("test", PRINT_PASSWORD);
    stage.write("word", "one");
    let credentials = stage.helper_account(&["host"]);
    get(&credentials).await;
    stage.write("word", "two");
    stage.pass_seconds(299);
    assert_eq!(get(&credentials).await, Some(password("robot", "one")));
    stage.pass_seconds(1);
    assert_eq!(get(&credentials).await, Some(password("robot", "two")));
    stage.write("word", "three");
    credentials.refused(UPSTREAM, Some(&password("robot", "one")));
    stage.pass_seconds(5);
    assert_eq!(
        get(&credentials).await,
        Some(password("robot", "two")),
        "it was an old one"
    );
    credentials.refused(UPSTREAM, Some(&password("robot", "two")));
    assert_eq!(get(&credentials).await, Some(password("robot", "three")));
    assert_eq!(stage.runs(), 3);
}

#[tokio::test]
async fn a_storm_of_refusals_runs_it_every_five_seconds() {
    let stage = Stage::new();
    stage.helper("test", PRINT_PASSWORD);
    stage.write("word", "wrong");
    let credentials = stage.helper_account(&["host"]);
    for _ in 0..20 {
        let secret = get(&credentials).await;
        assert_eq!(secret, Some(password("robot", "wrong")));
        credentials.refused(UPSTREAM, secret.as_ref());
        stage.pass_seconds(1);
    }
    assert_eq!(stage.runs(), 4);
}

#[tokio::test]
async fn the_next_name_is_tried_when_it_has_nothing() {
    let stage = Stage::new();
    for nothing in [
        "echo 'credentials not found in native keychain'; exit 1",
        r#"echo '{"ServerURL":"","Username":"","Secret":""}'"#,
    ] {
        let behaviour = format!(
            r#"
            if test "$(cat)" = two; then echo '{{"Username":"<token>","Secret":"of two"}}'; exit; fi
            {nothing}
            "#
        );
        stage.helper("test", &behaviour);
        assert_eq!(
            get(&stage.helper_account(&["one", "two"])).await,
            Some(token("of two"))
        );
        assert_eq!(get(&stage.helper_account(&["one"])).await, None);
    }
}

#[tokio::test]
async fn it_need_not_read_what_it_is_asked() {
    let stage = Stage::new();
    stage.helper(
        "test",
        r#"exec <&-; echo '{"Username":"<token>","Secret":"deaf"}'"#,
    );
    assert_eq!(
        get(&stage.helper_account(&["host"])).await,
        Some(token("deaf"))
    );
}

#[tokio::test]
async fn its_failures_are_told_by_what_it_complains_about() {
    let stage = Stage::new();
    for (behaviour, expected) in [
        (
            "printf '\\n no  \\033[1mkey\\nmore\\n' >&2; echo hunter2; exit 3",
            "failed (exit status: 3): no  \u{fffd}[1mkey",
        ),
        (
            "echo hunter2; exit 1",
            "failed (exit status: 1): it gave no reason on standard error",
        ),
        (
            "kill -9 $$",
            "failed (signal: 9 (SIGKILL)): it gave no reason on standard error",
        ),
        (
            "echo not JSON",
            "did not print credentials: the JSON is wrong at line 1, column 2",
        ),
        (
            "true",
            "did not print credentials: the JSON is wrong at line 1, column 0",
        ),
        (
            r#"echo '{"Username":"robot"}'"#,
            "did not print credentials: the JSON is wrong at line 1, column 20",
        ),
        (
            r#"echo '{"Username":"robot","Secret":""}'"#,
            "printed what cannot be sent: the password or token is empty",
        ),
        (
            "exec yes '{\"Username\":\"robot\",\"Secret\":\"hunter2\"}'",
            "printed more than 65536 bytes, and was killed",
        ),
    ] {
        stage.helper("test", behaviour);
        let expected = format!("docker-credential-test: {expected}");
        assert_eq!(
            error(&stage.helper_account(&["host"])).await,
            expected,
            "{behaviour}"
        );
    }
}

#[tokio::test]
async fn a_long_complaint_does_not_hold_it_up() {
    let stage = Stage::new();
    stage.helper(
        "test",
        r#"yes complaint | head -c 1000000 >&2; echo '{"Username":"<token>","Secret":"late"}'"#,
    );
    assert_eq!(
        get(&stage.helper_account(&["host"])).await,
        Some(token("late"))
    );
}

#[tokio::test]
async fn when_it_fails_its_last_answer_serves_until_it_is_refused() {
    let stage = Stage::new();
    stage.helper("test", PRINT_PASSWORD);
    stage.write("word", "one");
    let credentials = stage.helper_account(&["host"]);
    get(&credentials).await;
    stage.helper(
        "test",
        "echo run >>\"$here/runs\"; echo 'the cloud is away' >&2; exit 1",
    );
    stage.pass_seconds(300);
    for _ in 0..10 {
        assert_eq!(get(&credentials).await, Some(password("robot", "one")));
    }
    assert_eq!(stage.runs(), 2, "one success, one failure");
    credentials.refused(UPSTREAM, Some(&password("robot", "one")));
    assert_eq!(
        error(&credentials).await,
        "docker-credential-test: failed (exit status: 1): the cloud is away"
    );
    stage.helper("test", PRINT_PASSWORD);
    stage.pass_seconds(5);
    assert_eq!(
        get(&credentials).await,
        Some(password("robot", "one")),
        "back again"
    );
}

#[tokio::test]
async fn it_is_looked_for_in_path() {
    let stage = Stage::new();
    let program = stage.write("docker-credential-test", "#!/bin/sh\n");
    assert_eq!(
        error(&stage.helper_account(&["host"])).await,
        format!(
            "docker-credential-test: {} is not executable",
            program.display()
        )
    );
    stage.set("PATH", "relative:");
    assert_eq!(
        error(&stage.helper_account(&["host"])).await,
        "docker-credential-test: no such program in PATH"
    );
    fs::remove_file(program).expect("a removal");
    let inner = stage.path("inner");
    fs::create_dir(&inner).expect("a folder");
    fs::create_dir(stage.path("docker-credential-test")).expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/helper.sh");
    std::os::unix::fs::symlink(script, inner.join("docker-credential-test")).expect("a link");
    stage.write(
        "inner/behaviour",
        r#"echo '{"Username":"<token>","Secret":"inner"}'"#,
    );
    let path = std::env::join_paths([stage.path(""), inner]).expect("a PATH");
    stage.set("PATH", path);
    assert_eq!(
        get(&stage.helper_account(&["host"])).await,
        Some(token("inner"))
    );
}
