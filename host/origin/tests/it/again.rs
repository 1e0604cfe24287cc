//! Requests that are sent once more, and those that are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use ledge_origin::{Client, ClientOptions};

use crate::origin::{Origin, get, options, read, rules, text, with};
use crate::scripted::{self, Step};

fn patient(url: &str) -> Client {
    let options = ClientOptions {
        retry: Some(Duration::from_millis(2)),
        ..options()
    };
    Client::new(rules(&[url], &[]), options).expect("a client")
}

/// An origin that answers so, and then well.
async fn after(status: StatusCode, field: &'static str) -> (Origin, Client) {
    let asked = Arc::new(AtomicUsize::new(0));
    let origin = Origin::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => with(status, field, "1"),
        _ => text("hello"),
    })
    .await;
    let client = patient(&origin.url(""));
    (origin, client)
}

#[tokio::test]
async fn who_is_away_for_a_moment_is_asked_once_more() {
    for status in [
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ] {
        let (origin, client) = after(status, "x-nothing").await;
        let fetched = get(&client, &origin.url("/a")).await.expect("an answer");
        assert_eq!(read(fetched).await.expect("a body"), "hello", "{status}");
        assert_eq!(origin.lines(), ["GET /a", "GET /a"], "{status}");
    }
}

#[tokio::test]
async fn who_says_when_or_what_is_wrong_is_not() {
    for (status, field) in [
        (StatusCode::SERVICE_UNAVAILABLE, "retry-after"),
        (StatusCode::TOO_MANY_REQUESTS, "x-nothing"),
        (StatusCode::INTERNAL_SERVER_ERROR, "x-nothing"),
        (StatusCode::NOT_FOUND, "x-nothing"),
    ] {
        let (origin, client) = after(status, field).await;
        let fetched = get(&client, &origin.url("/a")).await.expect("an answer");
        assert_eq!(fetched.response.status(), status);
        assert_eq!(origin.lines(), ["GET /a"], "{status}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    const HELLO: Step = Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    let (address, mut connections) = scripted::start(vec![vec![Step::Close], vec![HELLO]]).await;
    let url = format!("http://{address}");
    let fetched = get(&patient(&url), &url).await.expect("an answer");
    assert_eq!(read(fetched).await.expect("a body"), "hello");
    assert_eq!(connections.recv().await, Some(0));
    assert_eq!(connections.recv().await, Some(1));
}

#[tokio::test]
async fn a_second_failure_is_the_answer() {
    let scripts = vec![vec![Step::Close], vec![Step::Close], vec![Step::Close]];
    let (address, mut connections) = scripted::start(scripts).await;
    let url = format!("http://{address}");
    get(&patient(&url), &url).await.expect_err("broken");
    assert_eq!(connections.recv().await, Some(0));
    assert_eq!(connections.recv().await, Some(1));
    connections.try_recv().expect_err("no third connection");
}
