//! Connections are used again, and replaced when they are stale.

use crate::origin::{Origin, client, get, read, redirect, text};
use crate::scripted::{self, Step};

const HELLO: Step = Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");

#[tokio::test]
async fn one_serves_many_requests() {
    let origin = Origin::start(|request| match request.uri().path() {
        "/a" => redirect("/b"),
        _ => text("hello"),
    })
    .await;
    let client = origin.client(&[]);
    for _ in 0..5 {
        let fetched = get(&client, &origin.url("/b")).await.expect("an answer");
        assert_eq!(read(fetched).await.expect("a body"), "hello");
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn one_that_was_closed_meanwhile_is_replaced() {
    let scripts = vec![vec![HELLO, Step::Close], vec![HELLO]];
    let (address, mut connections) = scripted::start(scripts).await;
    let url = format!("http://{address}");
    let client = client(&[&url], &[]);
    for _ in 0..2 {
        let fetched = get(&client, &url).await.expect("an answer");
        assert_eq!(read(fetched).await.expect("a body"), "hello");
    }
    assert_eq!(connections.recv().await, Some(0));
    assert_eq!(connections.recv().await, Some(1));
}

#[tokio::test]
async fn a_new_one_that_breaks_is_an_error_at_once() {
    let scripts = vec![vec![Step::Close], vec![HELLO]];
    let (address, mut connections) = scripted::start(scripts).await;
    let url = format!("http://{address}");
    let error = crate::origin::error(&client(&[&url], &[]), &url).await;
    assert_eq!(
        error,
        format!("{address} broke the connection: connection closed before message completed")
    );
    assert_eq!(connections.recv().await, Some(0));
    connections.try_recv().expect_err("no second connection");
}
