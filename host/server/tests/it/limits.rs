//! What a stranger can use up, and TLS on a port that has none.

use std::time::{Duration, Instant};

use ledge_server::ServerOptions;

use crate::kit::{Server, body, header, status, take};

/// Short enough for a test, long enough to tell it from at once.
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn headers_over_the_bound_are_a_431() {
    let server = Server::start().await;
    for (count, size) in [(1, 64 * 1024), (1, 400 * 1024), (80, 1024)] {
        let value = "x".repeat(size);
        let fields: String = (0..count).map(|i| format!("x-{i}: {value}\r\n")).collect();
        let request = format!("GET /text HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        let response = server.exchange(request.as_bytes()).await;
        assert_eq!(status(&response), "431", "{count} of {size}");
    }
}

#[tokio::test]
async fn headers_under_the_bound_are_served() {
    let server = Server::start().await;
    let value = "x".repeat(63 * 1024);
    let request =
        format!("GET /text HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {value}\r\n\r\n");
    assert_eq!(body(&server.exchange(request.as_bytes()).await), "hello");
}

#[tokio::test]
async fn a_client_hello_is_closed_on_at_once() {
    let server = Server::start().await;
    // The record's header alone, as a slow client would send it, and a whole record.
    let mut hello = vec![0x16, 3, 1, 2, 0];
    for length in [hello.len(), 517, 1800] {
        hello.resize(length, 1);
        let begun = Instant::now();
        assert_eq!(server.exchange(&hello).await, "");
        // Far from any timeout of the server's.
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn slow_headers_are_cut() {
    let server = Server::with(ServerOptions {
        header_timeout: SHORT,
        ..ServerOptions::default()
    })
    .await;
    for beginning in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n\r\n",
        "GET /text HTTP/1.1\r\nhost:",
    ] {
        let begun = Instant::now();
        assert_eq!(server.exchange(beginning.as_bytes()).await, "");
        assert!(begun.elapsed() >= SHORT, "{beginning:?} was cut early");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_running_one_is_not() {
    let server = Server::with(ServerOptions {
        header_timeout: SHORT,
        ..ServerOptions::default()
    })
    .await;
    let mut idle = server.connect().await;
    let mut runs = server.connect().await;
    runs.send(b"GET /waits-in-body HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    idle.send(b"GET /text HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(idle.rest().await.ends_with("hello"));
    // The other one has been at it for as long, and is served to its end.
    take(&server.handler.waiting).await;
    server.handler.release.add_permits(1);
    assert_eq!(body(&runs.until("hello").await), "hello");
}

#[tokio::test]
async fn one_connection_too_many_gets_a_503() {
    let server = Server::with(ServerOptions {
        max_connections: 1,
        ..ServerOptions::default()
    })
    .await;
    let mut first = server.connect().await;
    first.send(b"GET /waits HTTP/1.1\r\nhost: a\r\n\r\n").await;
    take(&server.handler.waiting).await;

    let refused = server
        .exchange(b"GET /text HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    assert_eq!(status(&refused), "503");
    assert_eq!(header(&refused, "retry-after"), Some("1"));
    assert_eq!(header(&refused, "connection"), Some("close"));
    assert_eq!(
        body(&refused),
        r#"{"errors":[{"code":"UNAVAILABLE","message":"too many connections; try again"}]}"#
    );

    server.handler.release.add_permits(1);
    assert!(first.until("hello").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_that_ended_makes_room() {
    let server = Server::with(ServerOptions {
        max_connections: 1,
        ..ServerOptions::default()
    })
    .await;
    for _ in 0..20 {
        // The client may see the end before the server has counted it.
        while status(&server.get("/text").await) == "503" {}
    }
}
