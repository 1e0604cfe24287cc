//! A file with one secret.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, UNIX_EPOCH};

use crate::stage::{Stage, UPSTREAM, error, get, token};

const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn one_newline_at_the_end_is_not_part_of_it() {
    let stage = Stage::new();
    for (content, expected) in [
        ("word", Some("word")),
        ("word\n", Some("word")),
        ("word\r\n", Some("word")),
        (" wörd \n", Some(" wörd ")),
        ("word\n\n", None),
        ("one\ntwo", None),
        ("", None),
        ("\n", None),
    ] {
        let credentials = stage.file_account(stage.write("token", content));
        let answer = credentials.get(UPSTREAM).await;
        assert_eq!(
            answer.ok(),
            expected.map(|word| Some(token(word))),
            "{content:?}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_replaced_is_read_after_a_second() {
    let stage = Stage::new();
    let path = stage.write("token", "one\n");
    let credentials = stage.file_account(path.clone());
    assert_eq!(get(&credentials).await, Some(token("one")));
    fs::rename(stage.write("new", "two\n"), &path).expect("a rename");
    stage.pass(Duration::from_secs(1) - MOMENT);
    assert_eq!(
        get(&credentials).await,
        Some(token("one")),
        "looked at once a second"
    );
    stage.pass(MOMENT);
    assert_eq!(get(&credentials).await, Some(token("two")));
}

#[tokio::test]
async fn a_file_that_is_written_in_place_is_read() {
    let stage = Stage::new();
    let credentials = stage.file_account(stage.write("token", "one"));
    assert_eq!(get(&credentials).await, Some(token("one")));
    stage.write("token", "another");
    stage.pass_seconds(1);
    assert_eq!(get(&credentials).await, Some(token("another")));
}

/// As the kubelet rotates a mounted secret.
#[tokio::test]
async fn a_link_that_leads_elsewhere_is_followed() {
    let stage = Stage::new();
    stage.write("first", "one");
    stage.write("second", "two");
    let path = stage.path("token");
    symlink("first", &path).expect("a link");
    let credentials = stage.file_account(path.clone());
    assert_eq!(get(&credentials).await, Some(token("one")));
    symlink("second", stage.path("new")).expect("a link");
    fs::rename(stage.path("new"), &path).expect("a rename");
    stage.pass_seconds(1);
    assert_eq!(get(&credentials).await, Some(token("two")));
}

/// A change that nothing shows, as two within one tick of the kernel's clock.
#[tokio::test]
async fn a_refusal_has_the_file_read_whatever_it_looks_like() {
    let stage = Stage::new();
    let path = stage.write("token", "one");
    let credentials = stage.file_account(path.clone());
    assert_eq!(get(&credentials).await, Some(token("one")));
    stage.write("token", "two");
    let file = File::options().write(true).open(&path).expect("a file");
    file.set_modified(UNIX_EPOCH).expect("a time");
    credentials.refused(UPSTREAM, Some(&token("one")));
    assert_eq!(
        get(&credentials).await,
        Some(token("one")),
        "read a moment ago"
    );
    stage.pass_seconds(1);
    assert_eq!(get(&credentials).await, Some(token("two")));
}

#[tokio::test]
async fn when_the_file_is_gone_the_last_secret_serves_until_it_is_refused() {
    let stage = Stage::new();
    let path = stage.write("token", "one");
    let credentials = stage.file_account(path.clone());
    assert_eq!(get(&credentials).await, Some(token("one")));
    fs::remove_file(&path).expect("a removal");
    stage.pass_seconds(100);
    assert_eq!(get(&credentials).await, Some(token("one")));
    credentials.refused(UPSTREAM, Some(&token("one")));
    let expected = format!(
        "cannot read credentials from {}: No such file or directory (os error 2)",
        path.display()
    );
    assert_eq!(error(&credentials).await, expected);
    stage.write("token", "two");
    stage.pass_seconds(1);
    assert_eq!(get(&credentials).await, Some(token("two")));
}

#[tokio::test]
async fn a_file_that_is_half_written_does_no_harm() {
    let stage = Stage::new();
    let credentials = stage.file_account(stage.write("token", "one"));
    assert_eq!(get(&credentials).await, Some(token("one")));
    stage.write("token", "");
    stage.pass_seconds(1);
    assert_eq!(get(&credentials).await, Some(token("one")));
    stage.write("token", "another");
    stage.pass_seconds(1);
    assert_eq!(get(&credentials).await, Some(token("another")));
}

#[tokio::test]
async fn what_is_too_long_or_no_file_is_not_read() {
    let stage = Stage::new();
    let longest = "x".repeat(64 * 1024);
    let credentials = stage.file_account(stage.write("token", &longest));
    assert_eq!(get(&credentials).await, Some(token(&longest)));
    for (path, expected) in [
        (
            stage.write("long", longest + "x"),
            "it is longer than 65536 bytes",
        ),
        (stage.path(""), "it is not a regular file"),
        // Opening it would wait for a writer.
        (stage.pipe("pipe"), "it is not a regular file"),
        // It says that it is empty.
        ("/dev/zero".into(), "it is not a regular file"),
    ] {
        let error = error(&stage.file_account(path.clone())).await;
        assert!(error.ends_with(expected), "{}: {error}", path.display());
    }
}
