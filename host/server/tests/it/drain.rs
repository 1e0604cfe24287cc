//! The shutdown.

use std::time::{Duration, Instant};

use http::Method;
use ledge_server::{ServerOptions, Summary};
use tokio::net::TcpStream;

use crate::http2;
use crate::kit::{Server, body, take, within};

const NONE_CUT: Summary = Summary { cut: 0 };

#[tokio::test]
async fn idle_connections_are_closed_and_new_ones_refused() {
    let server = Server::start().await;
    let address = server.address;
    let mut silent = server.connect().await;
    let mut idle = server.connect().await;
    idle.send(b"GET /text HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(body(&idle.until("hello").await), "hello");
    let mut multiplexed = http2::connect(&server).await;
    let response = http2::send(&mut multiplexed, Method::GET, "/text").await;
    assert_eq!(http2::text(response).await.expect("a body"), "hello");

    let begun = Instant::now();
    assert_eq!(server.stop().finished().await, NONE_CUT);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "it waited for idle ones"
    );
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    within(TcpStream::connect(address))
        .await
        .expect_err("nobody listens");
}

#[tokio::test]
async fn running_responses_finish() {
    let server = Server::start().await;
    let handler = server.handler.clone();
    let mut waits = server.connect().await;
    waits.send(b"GET /waits HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut streams = server.connect().await;
    streams
        .send(b"GET /waits-in-body HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let mut multiplexed = http2::connect(&server).await;
    let response = http2::send(&mut multiplexed, Method::GET, "/waits-in-body").await;
    for _ in 0..3 {
        take(&handler.waiting).await;
    }

    let stopping = server.stop();
    handler.release.add_permits(3);
    assert_eq!(body(&waits.rest().await), "hello");
    assert_eq!(body(&streams.rest().await), "hello");
    assert_eq!(http2::text(response).await.expect("a body"), "hello");
    assert_eq!(stopping.finished().await, NONE_CUT);
}

#[tokio::test]
async fn what_takes_too_long_is_cut_and_counted() {
    let drain = Duration::from_millis(200);
    let server = Server::with(ServerOptions {
        drain,
        ..ServerOptions::default()
    })
    .await;
    let handler = server.handler.clone();
    let mut streams = server.connect().await;
    streams
        .send(b"GET /waits-in-body HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let mut multiplexed = http2::connect(&server).await;
    let first = http2::send(&mut multiplexed, Method::GET, "/waits-in-body").await;
    let second = http2::send(&mut multiplexed, Method::GET, "/waits-in-body").await;
    for _ in 0..3 {
        take(&handler.waiting).await;
    }

    let begun = Instant::now();
    assert_eq!(server.stop().finished().await, Summary { cut: 3 });
    assert!(begun.elapsed() >= drain);
    assert_eq!(body(&streams.rest().await), "hel");
    http2::text(first).await.expect_err("it was cut");
    http2::text(second).await.expect_err("it was cut");
    for _ in 0..3 {
        take(&handler.dropped).await;
    }
}
