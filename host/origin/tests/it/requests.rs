//! What a request looks like when it arrives, and what comes back.

use http::{Method, Request};

use crate::origin::{Origin, get, read, text, with};

#[tokio::test]
async fn get_and_head() {
    let origin = Origin::start(|_| text("hello")).await;
    let client = origin.client(&[]);
    let url = origin.url("/v2/a/blobs/x?a=b");
    let fetched = get(&client, &url).await.expect("an answer");
    assert_eq!(fetched.final_uri, *url);
    assert_eq!(read(fetched).await.expect("a body"), "hello");

    let head = Request::head(&url).body(()).expect("a request");
    let fetched = client.fetch(head).await.expect("an answer");
    assert_eq!(fetched.response.headers()["content-length"], "5");
    assert_eq!(read(fetched).await.expect("no body"), "");
    let lines = ["GET /v2/a/blobs/x?a=b", "HEAD /v2/a/blobs/x?a=b"];
    assert_eq!(origin.lines(), lines);
}

#[tokio::test]
async fn fields_are_ours_where_they_must_be() {
    let origin =
        Origin::start(|_| with(200.try_into().expect("OK"), "keep-alive", "timeout=5")).await;
    let request = Request::get(origin.url("/"))
        .header("host", "evil.example")
        .header("user-agent", "containerd/2.1")
        .header("connection", "x-private")
        .header("x-private", "1")
        .header("transfer-encoding", "chunked")
        .header("accept", "application/json")
        .header("authorization", "Bearer t")
        .header("range", "bytes=1-")
        .body(())
        .expect("a request");
    let fetched = origin.client(&[]).fetch(request).await.expect("an answer");
    assert!(!fetched.response.headers().contains_key("keep-alive"));

    let headers = &origin.seen()[0].headers;
    let mut fields: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
        .collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "accept-encoding: identity".to_owned(),
            "accept: application/json".to_owned(),
            "authorization: Bearer t".to_owned(),
            format!("host: {}", origin.address),
            "range: bytes=1-".to_owned(),
            concat!("user-agent: ledge/", env!("CARGO_PKG_VERSION")).to_owned(),
        ]
    );
}

#[tokio::test]
async fn other_methods_are_not_sent() {
    let origin = Origin::start(|_| text("hello")).await;
    let client = origin.client(&[]);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::CONNECT] {
        let mut request = Request::get(origin.url("/")).body(()).expect("a request");
        *request.method_mut() = method;
        let error = client.fetch(request).await.expect_err("denied");
        assert_eq!(
            error.to_string(),
            format!(
                "{} may not be reached: only GET and HEAD are sent",
                origin.address
            )
        );
    }
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn answers_of_every_status_are_answers() {
    for status in [204_u16, 304, 400, 401, 404, 416, 429, 500, 503] {
        let status = http::StatusCode::from_u16(status).expect("a status");
        let origin = Origin::start(move |_| with(status, "x-a", "b")).await;
        let fetched = get(&origin.client(&[]), &origin.url("/")).await;
        let response = fetched.expect("an answer").response;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-a"], "b");
    }
}
