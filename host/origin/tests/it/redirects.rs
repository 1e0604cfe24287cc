//! Where answers send us, and where we do not go.

use http::Request;

use crate::origin::{Origin, error, get, read, redirect, text, with};

#[tokio::test]
async fn five_are_followed_and_a_sixth_is_not() {
    let origin = Origin::start(|request| match request.uri().path() {
        "/0" => text("there"),
        path => {
            let left: u32 = path[1..].parse().expect("a number");
            redirect(&format!("/{}?secret", left - 1))
        }
    })
    .await;
    let client = origin.client(&[]);
    let fetched = get(&client, &origin.url("/5")).await.expect("an answer");
    assert_eq!(fetched.final_uri, *origin.url("/0?secret"));
    assert_eq!(read(fetched).await.expect("a body"), "there");

    let asked = origin.lines().len();
    assert_eq!(
        error(&client, &origin.url("/6")).await,
        format!("too many redirects, the last of them to {}", origin.address)
    );
    assert_eq!(origin.lines().len() - asked, 6);
}

#[tokio::test]
async fn the_method_stays() {
    let origin = Origin::start(|request| match request.uri().path() {
        "/a" => with(303.try_into().expect("a status"), "location", "/b"),
        _ => text("hello"),
    })
    .await;
    let head = Request::head(origin.url("/a")).body(()).expect("a request");
    origin.client(&[]).fetch(head).await.expect("an answer");
    assert_eq!(origin.lines(), ["HEAD /a", "HEAD /b"]);
}

#[tokio::test]
async fn private_addresses_are_refused_unless_trusted() {
    let store = Origin::at("127.0.0.2", |_| text("hello")).await;
    let url = store.url("/blob?sig=secret");
    let origin = Origin::start(move |_| redirect(&url)).await;
    assert_eq!(
        error(&origin.client(&[]), &origin.url("/")).await,
        format!(
            "{} may not be reached: it has a private address and is not in trusted_hosts",
            store.address
        )
    );
    assert_eq!(store.connections(), 0);

    for trusted in ["127.0.0.2".to_owned(), store.address.to_string()] {
        let client = origin.client(&[&trusted]);
        let fetched = get(&client, &origin.url("/")).await.expect("an answer");
        assert_eq!(read(fetched).await.expect("a body"), "hello");
    }
    assert_eq!(store.connections(), 2);
}

#[tokio::test]
async fn another_port_of_the_origins_own_address_is_another_place() {
    let store = Origin::start(|_| text("hello")).await;
    let url = store.url("/");
    let origin = Origin::start(move |_| redirect(&url)).await;
    assert_eq!(
        error(&origin.client(&[]), &origin.url("/")).await,
        format!(
            "{} may not be reached: it has a private address and is not in trusted_hosts",
            store.address
        )
    );
    assert_eq!(store.connections(), 0);
}

#[tokio::test]
async fn names_that_lead_inside_are_refused() {
    // The system resolves this one by itself.
    let store = Origin::start(|_| text("hello")).await;
    let url = format!("http://localhost:{}/", store.address.port());
    let origin = Origin::start(move |_| redirect(&url)).await;
    assert_eq!(
        error(&origin.client(&[]), &origin.url("/")).await,
        format!(
            "localhost:{} may not be reached: it has a private address and is not in trusted_hosts",
            store.address.port()
        )
    );
    assert_eq!(store.connections(), 0);
}

#[tokio::test]
async fn redirects_that_lead_nowhere() {
    let origin = Origin::start(|request| match request.uri().path() {
        "/none" => with(302.try_into().expect("a status"), "x-no-location", ""),
        "/bad" => redirect("http://[/?secret"),
        "/ftp" => redirect("ftp://127.0.0.1/?secret"),
        "/user" => redirect("http://user:secret@127.0.0.1/"),
        "/meta" => redirect("http://169.254.169.254/latest/meta-data/?secret"),
        _ => redirect("http://[::ffff:7f00:1]/?secret"),
    })
    .await;
    let client = origin.client(&[]);
    let here = origin.address;
    for (path, expected) in [
        (
            "/none",
            format!("{here} sent a redirect that cannot be followed: it has no location"),
        ),
        (
            "/bad",
            format!("{here} sent a redirect that cannot be followed: its location is not a URL"),
        ),
        (
            "/ftp",
            "127.0.0.1 may not be reached: the URL is not http or https".to_owned(),
        ),
        (
            "/user",
            "127.0.0.1 may not be reached: the URL holds a user name".to_owned(),
        ),
        (
            "/meta",
            "169.254.169.254 may not be reached: it has a private address and is not in trusted_hosts".to_owned(),
        ),
        (
            "/mapped",
            "[::ffff:127.0.0.1] may not be reached: it has a private address and is not in trusted_hosts".to_owned(),
        ),
    ] {
        assert_eq!(error(&client, &origin.url(path)).await, expected);
    }
}
