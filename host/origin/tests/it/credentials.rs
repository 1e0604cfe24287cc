//! Who sees what was meant for the origin.

use http::Request;

use crate::origin::{Origin, redirect, text};

const SECRETS: [&str; 2] = ["authorization", "cookie"];

fn request(url: &str) -> Request<()> {
    let mut request = Request::get(url).header("range", "bytes=5-");
    for name in SECRETS {
        request = request.header(name, "secret");
    }
    request.body(()).expect("a request")
}

#[tokio::test]
async fn stay_with_the_same_host_and_port() {
    let origin = Origin::start(|request| match request.uri().path() {
        "/a" => redirect("/b"),
        _ => text("hello"),
    })
    .await;
    let fetched = origin.client(&[]).fetch(request(&origin.url("/a"))).await;
    fetched.expect("an answer");
    for name in SECRETS {
        assert_eq!(origin.seen()[1].headers[name], "secret");
    }
}

#[tokio::test]
async fn for_a_proxy_go_to_no_origin() {
    let origin = Origin::start(|_| text("hello")).await;
    let request = Request::get(origin.url("/")).header("proxy-authorization", "secret");
    let request = request.body(()).expect("a request");
    origin.client(&[]).fetch(request).await.expect("an answer");
    assert!(!origin.seen()[0].headers.contains_key("proxy-authorization"));
}

#[tokio::test]
async fn go_to_no_other_host_and_do_not_come_back() {
    let origin = Origin::start(|request| {
        let query = request.uri().query().unwrap_or_default();
        match request.uri().path() {
            "/a" => redirect(&format!(
                "http://{query}/there?{}",
                request.headers()["host"].to_str().expect("text")
            )),
            _ => text("hello"),
        }
    })
    .await;
    for ip in ["127.0.0.1", "127.0.0.2"] {
        let other = Origin::at(ip, |request| {
            redirect(&format!(
                "http://{}/back",
                request.uri().query().expect("a query")
            ))
        })
        .await;
        let client = origin.client(&[ip]);
        let url = origin.url(&format!("/a?{}", other.address));
        client.fetch(request(&url)).await.expect("an answer");
        let there = &other.seen()[0];
        let back = origin.seen().pop().expect("it came back");
        assert_eq!(back.line, "GET /back");
        for seen in [there, &back] {
            assert_eq!(seen.headers["range"], "bytes=5-");
            for name in SECRETS {
                assert!(!seen.headers.contains_key(name), "{name} at {}", seen.line);
            }
        }
    }
}
