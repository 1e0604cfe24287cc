//! HTTP/1.1: framing, HEAD, errors and panics.

use crate::kit::{Server, body, header, status};

#[tokio::test]
async fn answers_and_closes_when_asked_to() {
    let server = Server::start().await;
    let response = server.get("/text").await;
    assert_eq!(status(&response), "200");
    assert_eq!(header(&response, "content-length"), Some("5"));
    assert_eq!(header(&response, "connection"), Some("close"));
    assert_eq!(body(&response), "hello");
}

#[tokio::test]
async fn keeps_the_connection_otherwise() {
    let server = Server::start().await;
    let mut wire = server.connect().await;
    for _ in 0..3 {
        wire.send(b"GET /text HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(wire.until("hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_chunked() {
    let server = Server::start().await;
    let response = server.get("/chunked").await;
    assert_eq!(body(&response), "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
}

#[tokio::test]
async fn head_describes_and_sends_nothing() {
    let server = Server::start().await;
    for (path, length) in [
        ("/text", Some("5")),
        // No header of the handler's own: its body's length.
        ("/cached", Some("5")),
        ("/chunked", None),
        // The announced length counts, though the body would have failed.
        ("/fails", Some("10")),
    ] {
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let response = server.exchange(request.as_bytes()).await;
        assert_eq!(header(&response, "content-length"), length, "{path}");
        assert_eq!(header(&response, "transfer-encoding"), None, "{path}");
        assert_eq!(body(&response), "", "{path}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start().await;
    let response = server
        .exchange(
            b"HEAD /text HTTP/1.1\r\nhost: a\r\n\r\n\
              HEAD /fails HTTP/1.1\r\nhost: a\r\n\r\n\
              GET /text HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        )
        .await;
    let answers: Vec<&str> = response.split_inclusive("\r\n\r\n").collect();
    let lengths: Vec<_> = answers[..3]
        .iter()
        .map(|answer| header(answer, "content-length").expect("a length"))
        .collect();
    assert_eq!(lengths, ["5", "10", "5"]);
    assert_eq!(answers[3], "hello");
}

#[tokio::test]
async fn statuses_without_a_body_get_none() {
    let server = Server::start().await;
    for (path, code) in [("/no-content", "204"), ("/not-modified", "304")] {
        let response = server.get(path).await;
        assert_eq!(status(&response), code);
        assert_eq!(header(&response, "content-length"), None, "{path}");
        assert_eq!(header(&response, "transfer-encoding"), None, "{path}");
        assert_eq!(body(&response), "", "{path}");
    }
}

#[tokio::test]
async fn a_failing_body_ends_short_of_what_was_announced() {
    let server = Server::start().await;
    for path in ["/fails", "/short"] {
        let response = server.get(path).await;
        assert_eq!(header(&response, "content-length"), Some("10"), "{path}");
        assert!("hello".starts_with(body(&response)), "{response}");
    }
    let chunked = server.get("/fails-chunked").await;
    assert_eq!(header(&chunked, "transfer-encoding"), Some("chunked"));
    assert!(!chunked.ends_with("0\r\n\r\n"), "{chunked}");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_connection_lives() {
    let server = Server::start().await;
    let mut wire = server.connect().await;
    wire.send(b"GET /panics HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let response = wire.until("}]}").await;
    assert_eq!(status(&response), "500");
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    let error: serde_json::Value = serde_json::from_str(body(&response)).expect("JSON");
    assert_eq!(error["errors"][0]["code"], "UNKNOWN");
    assert_eq!(error["errors"][0]["message"], "internal error");
    wire.send(b"GET /text HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(body(&wire.until("hello").await), "hello");
}

#[tokio::test]
async fn a_panic_in_a_body_costs_its_connection_alone() {
    let server = Server::start().await;
    assert!(!server.get("/panics-later").await.ends_with("0\r\n\r\n"));
    assert_eq!(body(&server.get("/text").await), "hello");
}

#[tokio::test]
async fn a_length_that_is_not_the_bodys_is_never_sent() {
    let server = Server::start().await;
    let response = server.get("/lies").await;
    assert_eq!(status(&response), "500");
    let length = header(&response, "content-length").expect("a length");
    assert_eq!(length, body(&response).len().to_string());
}

#[tokio::test]
async fn a_client_that_expects_continue_gets_it() {
    let server = Server::start().await;
    let mut wire = server.connect().await;
    wire.send(
        b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\
          expect: 100-continue\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(
        wire.until("\r\n\r\n").await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    wire.send(b"abc").await;
    assert_eq!(body(&wire.rest().await), "3 bytes");
}

#[tokio::test]
async fn an_answer_survives_a_body_that_nobody_reads() {
    let server = Server::start().await;
    let mut request = b"POST /text HTTP/1.1\r\nhost: a\r\ncontent-length: 300000\r\n\r\n".to_vec();
    request.resize(request.len() + 300_000, b'x');
    let mut wire = server.connect().await;
    wire.send(&request).await;
    let response = wire.until("hello").await;
    assert_eq!(status(&response), "200");
}

#[tokio::test]
async fn garbage_is_a_400() {
    let server = Server::start().await;
    for garbage in [
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "GET /text HTTP/1.1\r\nbad header\r\n\r\n",
        "GET /text HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let response = server.exchange(garbage.as_bytes()).await;
        assert_eq!(status(&response), "400", "{garbage:?}");
    }
}

#[tokio::test]
async fn a_hang_up_drops_the_waiting_request() {
    let server = Server::start().await;
    let mut wire = server.connect().await;
    wire.send(b"GET /waits HTTP/1.1\r\nhost: a\r\n\r\n").await;
    crate::kit::take(&server.handler.waiting).await;
    drop(wire);
    crate::kit::take(&server.handler.dropped).await;
}
