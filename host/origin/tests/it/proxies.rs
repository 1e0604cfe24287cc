//! Through a proxy: who goes there, and what each on the way gets to see.

use http::{Request, StatusCode};
use ledge_origin::{Client, Connection, Proxy};
use tokio::net::TcpListener;

use crate::detour::Detour;
use crate::origin::{Origin, connected_client, error, get, read, redirect, text, with};
use crate::secure::{Authority, Demand, Secure};

// The client's own look-up does not find it: only a proxy leads there.
const HOST: &str = "nowhere.example";

/// Of `me:secret`.
const BASIC: &str = "Basic bWU6c2VjcmV0";

fn through(detour: &Detour, no_proxy: &str) -> Proxy {
    let url = format!("http://me:secret@{}", detour.address);
    Proxy::parse(&url, no_proxy).expect("a proxy")
}

fn settings(authority: &Authority, proxy: Proxy) -> Connection {
    Connection {
        extra_roots: vec![authority.certificate()],
        identity: Some(authority.identity()),
        proxy: Some(proxy),
    }
}

fn plain_client(endpoint: &str, trusted: &[&str], proxy: Proxy) -> Client {
    let connection = Connection {
        proxy: Some(proxy),
        ..Connection::default()
    };
    connected_client(&[endpoint], trusted, connection)
}

async fn body(client: &Client, url: &str) -> String {
    let fetched = get(client, url).await.expect("an answer");
    let bytes = read(fetched).await.expect("a body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let ours = Authority::new("ours");
    let origin = Secure::start(ours.server(HOST, Demand::Required), |_| text("hello")).await;
    let detour = Detour::start(Some(BASIC)).await;
    let url = origin.url(HOST);
    let client = connected_client(&[&url], &[], settings(&ours, through(&detour, "")));
    for _ in 0..3 {
        assert_eq!(body(&client, &url).await, "hello");
    }
    let line = format!("CONNECT {HOST}:{} HTTP/1.1", origin.address.port());
    assert_eq!(detour.asked(), [(line, Some(BASIC.to_owned()))]);
    assert_eq!(origin.shown(), [true]);
    assert_eq!(origin.seen().len(), 3);
    for seen in origin.seen() {
        assert!(!seen.headers.contains_key("proxy-authorization"));
    }
}

#[tokio::test]
async fn http_is_asked_of_the_proxy_itself() {
    let origin = Origin::start(|request| match request.uri().path() {
        "/a" => redirect("/b"),
        _ => text("hello"),
    })
    .await;
    let detour = Detour::start(Some(BASIC)).await;
    let url = format!("http://{HOST}:{}", origin.address.port());
    let client = plain_client(&url, &[], through(&detour, ""));
    let request = Request::get(format!("{url}/a?x=y"))
        .header("proxy-authorization", "Basic somebody")
        .body(())
        .expect("a request");
    let fetched = client.fetch(request).await.expect("an answer");
    assert_eq!(read(fetched).await.expect("a body"), "hello");
    let asked = |path| (format!("GET {url}{path} HTTP/1.1"), Some(BASIC.to_owned()));
    assert_eq!(detour.asked(), [asked("/a?x=y"), asked("/b")]);
    assert_eq!(origin.lines(), ["GET /a?x=y", "GET /b"]);
    let host = format!("{HOST}:{}", origin.address.port());
    assert_eq!(origin.seen()[0].headers["host"], *host);
}

#[tokio::test]
async fn wrong_credentials_are_the_proxys_refusal_and_not_the_origins() {
    let detour = Detour::start(Some("Basic other")).await;
    for (scheme, port) in [("http", 80), ("https", 443)] {
        let url = format!("{scheme}://{HOST}:{port}");
        let client = plain_client(&url, &[], through(&detour, ""));
        assert_eq!(
            error(&client, &url).await,
            format!(
                "cannot connect to {HOST}: the proxy {} is no way there: it asks for a user name \
                 and password, or does not take those that it got (407)",
                detour.address
            )
        );
    }
    assert_eq!(detour.asked().len(), 2);
}

#[tokio::test]
async fn an_origin_that_the_proxy_does_not_reach() {
    let detour = Detour::start(None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let url = format!("https://{HOST}:{port}");
    let client = plain_client(&url, &[], through(&detour, ""));
    assert_eq!(
        error(&client, &url).await,
        format!(
            "cannot connect to {HOST}:{port}: the proxy {} is no way there: it refused to connect \
             to {HOST}:{port}: status 502",
            detour.address
        )
    );
}

#[tokio::test]
async fn a_proxy_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    for url in ["http://hub.example", "https://hub.example"] {
        let proxy = format!("http://me:secret@{address}");
        let client = plain_client(url, &[], Proxy::parse(&proxy, "").expect("a proxy"));
        assert_eq!(
            error(&client, url).await,
            format!(
                "cannot connect to hub.example: the proxy {address} is no way there: Connection \
                 refused (os error 111)"
            )
        );
    }
}

#[tokio::test]
async fn the_time_to_connect_covers_the_proxys_answer() {
    // Connections wait in the listener's queue for ever.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let proxy = format!("http://{}", listener.local_addr().expect("an address"));
    let url = "https://hub.example";
    let client = plain_client(url, &[], Proxy::parse(&proxy, "").expect("a proxy"));
    assert_eq!(
        error(&client, url).await,
        "hub.example did not accept a connection in time"
    );
}

#[tokio::test]
async fn who_is_in_no_proxy_is_reached_directly() {
    let store = Origin::at("127.0.0.2", |_| text("store")).await;
    let to = format!("http://{HOST}:{}/blob", store.address.port());
    let origin = Origin::start(move |request| match request.uri().path() {
        "/blob" => redirect(&to),
        _ => text("hello"),
    })
    .await;
    let detour = Detour::start(None).await;
    let client = plain_client(&origin.url(""), &[], through(&detour, "127.0.0.0/8"));
    assert_eq!(body(&client, &origin.url("/")).await, "hello");
    assert_eq!(detour.asked(), []);
    // The proxy looks on 127.0.0.1, where nobody listens on this port.
    get(&client, &origin.url("/blob")).await.expect("a 502");
    let line = format!("GET http://{HOST}:{}/blob HTTP/1.1", store.address.port());
    assert_eq!(detour.lines(), [line]);
    assert_eq!(store.connections(), 0);
}

#[tokio::test]
async fn a_redirect_goes_the_same_way_without_the_certificate() {
    let ours = Authority::new("ours");
    let cdn = "cdn.example";
    let store = Secure::start(ours.server(cdn, Demand::Optional), |_| text("blob")).await;
    let to = format!("{}/blob", store.url(cdn));
    let origin = Secure::start(ours.server(HOST, Demand::Optional), move |_| redirect(&to)).await;
    let detour = Detour::start(Some(BASIC)).await;
    let url = origin.url(HOST);
    let client = connected_client(&[&url], &[], settings(&ours, through(&detour, "")));
    assert_eq!(body(&client, &url).await, "blob");
    assert_eq!(
        detour.lines(),
        [
            format!("CONNECT {HOST}:{} HTTP/1.1", origin.address.port()),
            format!("CONNECT {cdn}:{} HTTP/1.1", store.address.port()),
        ]
    );
    assert_eq!((origin.shown(), store.shown()), (vec![true], vec![false]));
    for seen in origin.seen().iter().chain(&store.seen()) {
        assert!(!seen.headers.contains_key("proxy-authorization"));
    }
    // A trusted host is shown it.
    let client = connected_client(&[&url], &[cdn], settings(&ours, through(&detour, "")));
    assert_eq!(body(&client, &url).await, "blob");
    assert_eq!(store.shown(), [false, true]);
}

#[tokio::test]
async fn a_realm_is_asked_the_same_way_without_the_certificate() {
    let ours = Authority::new("ours");
    let name = "auth.example";
    let tokens = Secure::start(ours.server(name, Demand::Optional), |_| text("token")).await;
    let url = format!("{}/token", tokens.url(name));
    let realm = format!(r#"Bearer realm="{url}""#);
    let origin = Secure::start(ours.server(HOST, Demand::Optional), move |_| {
        with(StatusCode::UNAUTHORIZED, "www-authenticate", &realm)
    })
    .await;
    let detour = Detour::start(Some(BASIC)).await;
    let endpoint = origin.url(HOST);
    let client = connected_client(&[&endpoint], &[], settings(&ours, through(&detour, "")));
    get(&client, &endpoint).await.expect("a 401");
    assert_eq!(body(&client, &url).await, "token");
    assert_eq!((origin.shown(), tokens.shown()), (vec![true], vec![false]));
    assert_eq!(detour.asked().len(), 2);
}

#[tokio::test]
async fn hosts_that_say_that_they_are_inside_are_not_asked_of_a_proxy() {
    let origin = Origin::start(|request| {
        let to = request.uri().query().expect("a query");
        redirect(&format!("http://{to}/latest?secret"))
    })
    .await;
    let detour = Detour::start(None).await;
    let url = format!("http://{HOST}:{}", origin.address.port());
    let client = plain_client(&url, &["10.0.0.9"], through(&detour, ""));
    let inside = [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "169.254.169.254",
        "[::1]",
        "localhost",
        "a.localhost",
    ];
    for host in inside {
        assert_eq!(
            error(&client, &format!("{url}/?{host}")).await,
            format!(
                "{host} may not be reached: it has a private address and is not in trusted_hosts"
            )
        );
    }
    assert_eq!(detour.asked().len(), inside.len());
    // The operator may have it so.
    get(&client, &format!("{url}/?10.0.0.9"))
        .await
        .expect("a 502");
    assert_eq!(
        detour.lines().pop().expect("a line"),
        "GET http://10.0.0.9/latest?secret HTTP/1.1"
    );
}

#[tokio::test]
async fn a_proxy_may_be_spoken_to_by_tls() {
    let ours = Authority::new("ours");
    let origin = Secure::start(ours.server(HOST, Demand::Required), |_| text("hello")).await;
    let detour = Detour::secure(ours.server("localhost", Demand::Optional)).await;
    let proxy = format!("https://localhost:{}", detour.address.port());
    let proxy = Proxy::parse(&proxy, "").expect("a proxy");
    let url = origin.url(HOST);
    let client = connected_client(&[&url], &[], settings(&ours, proxy.clone()));
    assert_eq!(body(&client, &url).await, "hello");
    assert_eq!(detour.asked().len(), 1);

    let stranger = plain_client(&url, &[], proxy);
    let error = error(&stranger, &url).await;
    let start = format!(
        "cannot connect to {HOST}:{}: the proxy localhost:{} is no way there: invalid peer \
         certificate: UnknownIssuer",
        origin.address.port(),
        detour.address.port()
    );
    assert!(error.starts_with(&start), "{error}");
}
