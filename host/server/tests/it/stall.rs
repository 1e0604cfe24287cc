//! Clients that take nothing of their answers, or little at a time.

use std::io::ErrorKind;
use std::time::Duration;

use http::Method;
use ledge_server::ServerOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::access::Log;
use crate::handler::big;
use crate::http2;
use crate::kit::{Server, body, take, within};

/// Short enough for a test. A client that takes something twenty times in it is not late, also on
/// a busy machine.
const SHORT: Duration = Duration::from_secs(1);

async fn server() -> Server {
    Server::with(ServerOptions {
        write_timeout: SHORT,
        ..ServerOptions::default()
    })
    .await
}

/// Asks for more than the kernel holds, with little room for it.
async fn ask(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("room");
    let mut stream = socket.connect(server.address).await.expect("connect");
    let request = b"GET /big HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("send");
    stream
}

/// Begins a response that is cut because its client reads nothing.
async fn let_one_be_cut(server: &Server) {
    let _silent = ask(server).await;
    take(&server.handler.dropped).await;
}

#[tokio::test]
async fn who_reads_nothing_is_reset_and_logged() {
    let (log, _guard) = Log::start();
    let server = server().await;
    let dropped = server.handler.dropped.clone();
    let mut silent = ask(&server).await;
    take(&dropped).await;
    let mut all = Vec::new();
    let read = within(silent.read_to_end(&mut all)).await;
    let error = read.expect_err("it is not the whole");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let _ = server.stop().finished().await;
    let lines = log.lines();
    let [line] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert!(line.contains(r#"path="/big" status=200"#), "{line}");
    assert!(line.contains("complete=false"), "{line}");
}

#[tokio::test]
async fn a_cut_connection_makes_room() {
    let server = Server::with(ServerOptions {
        max_connections: 1,
        write_timeout: SHORT,
        ..ServerOptions::default()
    })
    .await;
    let_one_be_cut(&server).await;
    // The body may be dropped before the connection is counted.
    let mut answer = server.get("/text").await;
    while !answer.starts_with("HTTP/1.1 200") {
        answer = server.get("/text").await;
    }
    assert_eq!(body(&answer), "hello");
}

#[tokio::test]
async fn who_reads_slowly_is_served_to_the_end() {
    let server = server().await;
    let mut slow = ask(&server).await;
    let mut all = Vec::new();
    let silent = let_one_be_cut(&server);
    let read_slowly = async {
        let mut some = [0; 8 * 1024];
        loop {
            let count = slow.read(&mut some).await.expect("more bytes");
            all.extend_from_slice(&some[..count]);
            sleep(SHORT / 200).await;
        }
    };
    // For longer than the one who reads nothing is borne.
    tokio::select! {
        () = within(silent) => {}
        () = read_slowly => {}
    }
    assert!(all.len() < big().len(), "it was not slow");
    within(slow.read_to_end(&mut all)).await.expect("the rest");
    let head = all.windows(4).position(|four| four == b"\r\n\r\n");
    assert!(all[head.expect("a header") + 4..] == big(), "other bytes");
}

#[tokio::test]
async fn who_waits_for_the_handler_is_not_cut() {
    let server = server().await;
    let mut waits = server.connect().await;
    waits
        .send(b"GET /waits-in-body HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let mut multiplexed = http2::connect(&server).await;
    let response = http2::send(&mut multiplexed, Method::GET, "/waits-in-body").await;
    for _ in 0..2 {
        take(&server.handler.waiting).await;
    }
    // That takes as long as the timeout.
    let_one_be_cut(&server).await;
    server.handler.release.add_permits(2);
    assert_eq!(body(&waits.until("hello").await), "hello");
    assert_eq!(http2::text(response).await.expect("a body"), "hello");
}
