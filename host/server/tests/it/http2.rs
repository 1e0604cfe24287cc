//! HTTP/2 with prior knowledge.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::kit::{Server, take, within};

type Sender = SendRequest<Empty<Bytes>>;

pub(crate) async fn connect(server: &Server) -> Sender {
    let io = TokioIo::new(server.connect().await.into_stream());
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
        .await
        .expect("handshake");
    tokio::spawn(connection);
    sender
}

pub(crate) fn request(method: Method, path: &str) -> Request<Empty<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("http://a{path}"))
        .body(Empty::new())
        .expect("a request")
}

pub(crate) async fn send(sender: &mut Sender, method: Method, path: &str) -> Response<Incoming> {
    within(sender.send_request(request(method, path)))
        .await
        .expect("an answer")
}

pub(crate) async fn text(response: Response<Incoming>) -> Result<Bytes, hyper::Error> {
    within(response.into_body().collect())
        .await
        .map(http_body_util::Collected::to_bytes)
}

#[tokio::test]
async fn serves_many_streams_of_one_connection() {
    let server = Server::start().await;
    let mut sender = connect(&server).await;
    let waiting = tokio::spawn(sender.send_request(request(Method::GET, "/waits")));
    take(&server.handler.waiting).await;
    for path in ["/text", "/chunked"] {
        let response = send(&mut sender, Method::GET, path).await;
        assert_eq!(text(response).await.expect("a body"), "hello");
    }
    server.handler.release.add_permits(1);
    let response = within(waiting).await.expect("no panic").expect("an answer");
    assert_eq!(text(response).await.expect("a body"), "hello");
}

#[tokio::test]
async fn head_and_bodiless_statuses_end_with_their_header() {
    let server = Server::start().await;
    let mut sender = connect(&server).await;
    for (method, path, status, length) in [
        (Method::HEAD, "/text", 200, Some("5")),
        (Method::HEAD, "/cached", 200, Some("5")),
        (Method::HEAD, "/chunked", 200, None),
        (Method::GET, "/no-content", 204, None),
        (Method::GET, "/not-modified", 304, None),
    ] {
        let response = send(&mut sender, method, path).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        let announced = response.headers().get("content-length");
        assert_eq!(
            announced.map(|v| v.to_str().expect("text")),
            length,
            "{path}"
        );
        assert_eq!(text(response).await.expect("no reset"), "", "{path}");
    }
}

#[tokio::test]
async fn a_failing_body_resets_its_stream_alone() {
    let server = Server::start().await;
    let mut sender = connect(&server).await;
    for path in ["/fails", "/fails-chunked", "/short"] {
        // The reset may overtake the header.
        if let Ok(response) = within(sender.send_request(request(Method::GET, path))).await {
            text(response).await.expect_err(path);
        }
    }
    let response = send(&mut sender, Method::GET, "/text").await;
    assert_eq!(text(response).await.expect("a body"), "hello");
}

#[tokio::test]
async fn a_panic_is_a_500() {
    let server = Server::start().await;
    let mut sender = connect(&server).await;
    let response = send(&mut sender, Method::GET, "/panics").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn headers_over_the_bound_are_a_431() {
    let server = Server::start().await;
    let mut sender = connect(&server).await;
    // The client is told of the bound and keeps it by itself, so it is tried
    // before the server's settings can have come.
    let mut large = request(Method::GET, "/text");
    for index in 0..70 {
        let name = http::HeaderName::try_from(format!("x-{index}")).expect("a name");
        let value = http::HeaderValue::try_from("x".repeat(1000)).expect("a value");
        large.headers_mut().insert(name, value);
    }
    let response = within(sender.send_request(large)).await.expect("an answer");
    assert_eq!(
        response.status(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );
    let response = send(&mut sender, Method::GET, "/text").await;
    assert_eq!(response.status(), StatusCode::OK);
}
