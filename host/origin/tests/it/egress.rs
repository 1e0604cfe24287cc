//! Which hosts are asked at all.

use http::StatusCode;

use crate::origin::{Origin, error, get, named_client, read, text, with};

#[tokio::test]
async fn only_what_is_configured() {
    let other = Origin::start(|_| text("hello")).await;
    let origin = Origin::start(|_| text("hello")).await;
    let client = origin.client(&[]);
    let port = other.address.port();
    for (url, expected) in [
        (
            other.url("/?secret"),
            format!("127.0.0.1:{port} may not be reached: it is not a configured origin"),
        ),
        (
            format!("http://localhost:{}/", origin.address.port()),
            format!(
                "localhost:{} may not be reached: it is not a configured origin",
                origin.address.port()
            ),
        ),
        (
            format!("https://{}/", origin.address),
            format!(
                "{} may not be reached: it is not a configured origin",
                origin.address
            ),
        ),
        (
            "/v2/".to_owned(),
            " may not be reached: the URL is not http or https".to_owned(),
        ),
    ] {
        assert_eq!(error(&client, &url).await, expected, "{url}");
    }
    assert_eq!(other.connections() + origin.connections(), 0);
}

#[tokio::test]
async fn trusted_hosts_are_asked() {
    let origin = Origin::start(|_| text("hello")).await;
    let tokens = Origin::at("127.0.0.2", |_| text("token")).await;
    let fetched = get(&origin.client(&["127.0.0.2"]), &tokens.url("/token")).await;
    assert_eq!(
        read(fetched.expect("an answer")).await.expect("a body"),
        "token"
    );
}

#[tokio::test]
async fn localhost_is_an_address_of_its_own() {
    let origin = Origin::start(|_| text("hello")).await;
    let url = format!("http://localhost:{}", origin.address.port());
    let client = crate::origin::client(&[&url], &[]);
    get(&client, &url).await.expect("an answer");
}

#[tokio::test]
async fn a_configured_name_must_not_lead_inside_unless_trusted() {
    let origin = Origin::start(|_| text("hello")).await;
    let url = format!("http://registry.example:{}", origin.address.port());
    let denied = format!(
        "registry.example:{} may not be reached: it has a private address and is not in trusted_hosts",
        origin.address.port()
    );
    assert_eq!(error(&named_client(&[&url], &[]), &url).await, denied);
    let elsewhere = named_client(&[&url], &["other.example"]);
    assert_eq!(error(&elsewhere, &url).await, denied);
    assert_eq!(origin.connections(), 0);
    let trusting = named_client(&[&url], &["registry.example"]);
    get(&trusting, &url).await.expect("an answer");
}

#[tokio::test]
async fn the_realm_of_a_challenge_is_remembered() {
    let tokens = Origin::start(|_| text("token")).await;
    let realm = format!(r#"Bearer realm="{}",service="x""#, tokens.url("/token"));
    let origin = Origin::start(move |request| match request.uri().path() {
        "/v2/" => with(StatusCode::UNAUTHORIZED, "www-authenticate", &realm),
        _ => with(StatusCode::FORBIDDEN, "www-authenticate", &realm),
    })
    .await;
    let client = origin.client(&[]);
    let url = tokens.url("/token?service=x");
    let denied = format!(
        "{} may not be reached: it is not a configured origin",
        tokens.address
    );
    assert_eq!(error(&client, &url).await, denied);
    get(&client, &origin.url("/other")).await.expect("a 403");
    assert_eq!(error(&client, &url).await, denied);
    get(&client, &origin.url("/v2/")).await.expect("a 401");
    get(&client, &url).await.expect("an answer");
    assert_eq!(tokens.lines(), ["GET /token?service=x"]);
    // Somebody else's client has learned nothing.
    assert_eq!(error(&origin.client(&[]), &url).await, denied);
}

#[tokio::test]
async fn a_realm_inside_is_refused_unless_it_is_the_origins_own_host() {
    let tokens = Origin::at("127.0.0.2", |_| text("token")).await;
    let realm = format!(r#"Bearer realm="{}""#, tokens.url("/token"));
    let origin =
        Origin::start(move |_| with(StatusCode::UNAUTHORIZED, "www-authenticate", &realm)).await;
    let client = origin.client(&[]);
    get(&client, &origin.url("/v2/")).await.expect("a 401");
    assert_eq!(
        error(&client, &tokens.url("/token")).await,
        format!(
            "{} may not be reached: it has a private address and is not in trusted_hosts",
            tokens.address
        )
    );
    assert_eq!(tokens.connections(), 0);
}
