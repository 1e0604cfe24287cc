//! Helpers that take their time: tests and helpers meet at named pipes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::pin::pin;

use futures::future::{Either, join_all, select};
use futures::poll;

use crate::stage::{Stage, UPSTREAM, error, get, token};

/// Says that it runs, and answers with what the test writes to the gate.
const WAIT_AT_GATE: &str = r#"
    echo run >>"$here/runs"
    echo run >"$here/running"
    read -r word <"$here/gate"
    printf '{"Username":"<token>","Secret":"%s"}' "$word"
"#;

/// Both ends of a named pipe. Nobody waits to open it then, and what is written stays until it is read.
fn pipe(stage: &Stage, name: &str) -> BufReader<File> {
    let both = File::options()
        .read(true)
        .write(true)
        .open(stage.pipe(name));
    BufReader::new(both.expect("a pipe"))
}

/// Lets one helper through.
fn open(gate: &BufReader<File>) {
    gate.get_ref().write_all(b"word\n").expect("a word");
}

/// Waits for a line.
async fn line(mut pipe: BufReader<File>) -> (BufReader<File>, String) {
    let reading = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        pipe.read_line(&mut line).expect("a line");
        (pipe, line)
    });
    reading.await.expect("no panic")
}

#[tokio::test]
async fn concurrent_requests_run_it_once() {
    let stage = Stage::new();
    stage.helper("test", WAIT_AT_GATE);
    let (gate, _running) = (pipe(&stage, "gate"), pipe(&stage, "running"));
    let credentials = stage.helper_account(&["host"]);
    let mut gets = pin!(join_all((0..50).map(|_| get(&credentials))));
    assert!(poll!(&mut gets).is_pending(), "all of them ask");
    open(&gate);
    assert_eq!(gets.await, vec![Some(token("word")); 50]);
    assert_eq!(stage.runs(), 1);
}

#[tokio::test]
async fn a_failure_is_shared_too() {
    let stage = Stage::new();
    stage.helper("test", &format!("{WAIT_AT_GATE} ; exit 1"));
    let (gate, _running) = (pipe(&stage, "gate"), pipe(&stage, "running"));
    let credentials = stage.helper_account(&["host"]);
    let mut gets = pin!(join_all((0..50).map(|_| error(&credentials))));
    assert!(poll!(&mut gets).is_pending(), "all of them ask");
    open(&gate);
    assert_eq!(gets.await.len(), 50);
    assert_eq!(stage.runs(), 1);
}

#[tokio::test]
async fn who_hangs_up_does_not_end_it_for_the_others() {
    let stage = Stage::new();
    stage.helper("test", WAIT_AT_GATE);
    let (gate, running) = (pipe(&stage, "gate"), pipe(&stage, "running"));
    let credentials = stage.helper_account(&["host"]);
    let _running = {
        let first = pin!(get(&credentials));
        match select(first, pin!(line(running))).await {
            Either::Left(_) => panic!("the gate is shut"),
            Either::Right(((running, _), _)) => running,
        }
    };
    open(&gate);
    assert_eq!(get(&credentials).await, Some(token("word")));
    assert_eq!(stage.runs(), 1);
}

/// The helper and what it started hold the pipe open. Whoever of them lives on writes to it after a while.
const HANG: &str = r#"
    echo run >>"$here/runs"
    exec 3>"$here/alive"
    sh -c 'echo hangs >&3; sleep 20; echo survived >&3' &
    sleep 20
    echo survived >&3
"#;

#[tokio::test]
async fn one_that_hangs_is_killed_with_what_it_started() {
    let stage = Stage::new();
    stage.helper("test", HANG);
    let alive = stage.pipe("alive");
    let credentials = stage.helper_account(&["host"]);
    let asking = pin!(error(&credentials));
    let meeting = pin!(async {
        // Opening it waits for the helper.
        let opening = tokio::task::spawn_blocking(|| File::open(alive));
        let alive = opening.await.expect("no panic").expect("a pipe");
        line(BufReader::new(alive)).await
    });
    let Either::Right(((mut alive, hangs), asking)) = select(asking, meeting).await else {
        panic!("it hangs");
    };
    assert_eq!(hangs, "hangs\n");
    // From here on time passes as soon as nothing else can happen.
    tokio::time::pause();
    assert_eq!(
        asking.await,
        "docker-credential-test: did not end within 10 s, and was killed"
    );
    let mut rest = String::new();
    // To its end: until everybody has closed it.
    alive.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "");
    // Nobody else waits ten seconds for it now.
    assert!(credentials.get(UPSTREAM).await.is_err());
    assert_eq!(stage.runs(), 1);
}
