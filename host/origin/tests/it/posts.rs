//! A form for a token service, and for nobody else.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use ledge_origin::{Client, FetchError, Fetched};

use crate::origin::{Origin, get, read, redirect, text, with};

async fn post(client: &Client, url: &str) -> Result<Fetched, FetchError> {
    let request = Request::post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"a=b&c=d"))
        .expect("a request");
    client.post(request).await
}

/// An origin that names `realm` in its challenges.
async fn naming(realm: String) -> Origin {
    Origin::start(move |_| {
        let challenge = format!("Bearer realm=\"{realm}\"");
        with(StatusCode::UNAUTHORIZED, "www-authenticate", &challenge)
    })
    .await
}

#[tokio::test]
async fn reach_the_realm_of_a_challenge() {
    let service = Origin::start(|_| text("a token")).await;
    let origin = naming(service.url("/token")).await;
    let client = origin.client(&["127.0.0.1"]);
    get(&client, &origin.url("/v2/")).await.expect("a 401");
    let fetched = post(&client, &service.url("/token?x=y")).await;
    assert_eq!(
        read(fetched.expect("an answer")).await.expect("a body"),
        "a token"
    );
    let seen = &service.seen()[0];
    assert_eq!(seen.line, "POST /token?x=y");
    assert_eq!(seen.headers["content-length"], "7");
    let form = "application/x-www-form-urlencoded";
    assert_eq!(seen.headers["content-type"], form);
}

#[tokio::test]
async fn reach_nobody_else() {
    let origin = Origin::start(|_| text("hello")).await;
    let other = Origin::start(|_| text("hello")).await;
    let client = origin.client(&["127.0.0.1"]);
    for place in [&origin, &other] {
        let error = post(&client, &place.url("/v2/a/blobs/uploads/")).await;
        let expected = format!(
            "{} may not be reached: only token services are sent a POST",
            place.address
        );
        assert_eq!(error.expect_err("denied").to_string(), expected);
        assert_eq!(place.connections(), 0);
    }
}

#[tokio::test]
async fn go_no_further() {
    let elsewhere = Origin::start(|_| text("hello")).await;
    let to = elsewhere.url("/");
    let service = Origin::start(move |_| redirect(&to)).await;
    let origin = naming(service.url("/token")).await;
    let client = origin.client(&["127.0.0.1"]);
    get(&client, &origin.url("/v2/")).await.expect("a 401");
    let fetched = post(&client, &service.url("/token")).await;
    let response = fetched.expect("an answer").response;
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn are_posts() {
    let service = Origin::start(|_| text("a token")).await;
    let origin = naming(service.url("/token")).await;
    let client = origin.client(&["127.0.0.1"]);
    get(&client, &origin.url("/v2/")).await.expect("a 401");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = service.url("/token").parse().expect("a URI");
        assert!(client.post(request).await.is_err());
    }
    assert_eq!(service.connections(), 0);
}
