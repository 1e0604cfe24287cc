//! Private authorities and client certificates.

use std::net::IpAddr;
use std::sync::Arc;

use ledge_origin::{Client, ClientError, Connection, EgressRules, FetchError, Proxy};

use crate::origin::{Names, connected_client, get, options, read, text, upstream};
use crate::secure::{Authority, Demand, Secure};

const HOST: &str = "registry.example";

fn believing(authority: &Authority) -> Connection {
    Connection {
        extra_roots: vec![authority.certificate()],
        ..Connection::default()
    }
}

fn identified(authority: &Authority) -> Connection {
    Connection {
        identity: Some(authority.identity()),
        ..believing(authority)
    }
}

#[tokio::test]
async fn an_origin_that_asks_for_a_certificate_gets_it() {
    let ours = Authority::new("ours");
    let origin = Secure::start(ours.server(HOST, Demand::Required), |_| text("hello")).await;
    let url = origin.url(HOST);
    let client = connected_client(&[&url], &[HOST], identified(&ours));
    for _ in 0..2 {
        let fetched = get(&client, &url).await.expect("an answer");
        assert_eq!(read(fetched).await.expect("a body"), "hello");
    }
    assert_eq!(origin.shown(), [true]);
}

#[tokio::test]
async fn without_one_the_error_says_so() {
    let ours = Authority::new("ours");
    let origin = Secure::start(ours.server(HOST, Demand::Required), |_| text("hello")).await;
    let url = origin.url(HOST);
    let client = connected_client(&[&url], &[HOST], believing(&ours));
    let error = get(&client, &url).await.expect_err("no certificate");
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
    assert_eq!(origin.seen().len(), 0);
}

#[tokio::test]
async fn anothers_certificate_is_not_taken() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let origin = Secure::start(ours.server(HOST, Demand::Required), |_| text("hello")).await;
    let url = origin.url(HOST);
    let connection = Connection {
        identity: Some(theirs.identity()),
        ..believing(&ours)
    };
    let client = connected_client(&[&url], &[HOST], connection);
    get(&client, &url).await.expect_err("a stranger");
    assert_eq!(origin.seen().len(), 0);
}

#[tokio::test]
async fn an_expired_certificate_is_refused_by_that_name() {
    let ours = Authority::new("ours");
    let origin = Secure::start(ours.expired_server(HOST), |_| text("hello")).await;
    let url = origin.url(HOST);
    let client = connected_client(&[&url], &[HOST], believing(&ours));
    let error = get(&client, &url).await.expect_err("expired");
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error:?}");
    let start = format!(
        "cannot connect to {HOST}:{}: invalid peer certificate: certificate expired: ",
        origin.address.port()
    );
    assert!(error.to_string().starts_with(&start), "{error}");
    assert_eq!(origin.seen().len(), 0);
}

#[tokio::test]
async fn authorities_are_believed_for_their_own_upstream_only() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let one = Secure::start(ours.server(HOST, Demand::Optional), |_| text("one")).await;
    let two = Secure::start(theirs.server(HOST, Demand::Optional), |_| text("two")).await;
    let three = Secure::start(theirs.server(HOST, Demand::Optional), |_| text("three")).await;
    let urls = [&one, &two, &three].map(|origin| origin.url(HOST));
    let upstreams = vec![
        (upstream("one", &[&urls[0]], &[HOST]), identified(&ours)),
        (upstream("two", &[&urls[1]], &[HOST]), believing(&theirs)),
        (upstream("three", &[&urls[2]], &[HOST]), believing(&ours)),
    ];
    let rules = EgressRules::with_connections(upstreams);
    let lookup = Arc::new(Names(IpAddr::from([127, 0, 0, 1])));
    let client = Client::with_lookup(rules, options(), lookup).expect("a client");
    for (url, expected) in [(&urls[0], "one"), (&urls[1], "two")] {
        let fetched = get(&client, url).await.expect("an answer");
        assert_eq!(read(fetched).await.expect("a body"), expected);
    }
    let error = get(&client, &urls[2]).await.expect_err("a stranger");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    // And a certificate is shown to those of its own upstream.
    assert_eq!((one.shown(), two.shown()), (vec![true], vec![false]));
}

#[test]
fn upstreams_that_contradict_each_other_are_refused() {
    let through = Connection {
        proxy: Some(Proxy::parse("http://u:secret@proxy.lan", "").expect("a proxy")),
        ..Connection::default()
    };
    let rules = EgressRules::with_connections(vec![
        (
            upstream("one", &["https://hub.example"], &[]),
            Connection::default(),
        ),
        (upstream("two", &["https://hub.example:443"], &[]), through),
    ]);
    let error: ClientError = Client::new(rules, options()).err().expect("no client");
    assert_eq!(
        error.to_string(),
        "upstreams one and two share the endpoint hub.example, but not its connection settings \
         (authorities, client certificate, proxy): make them equal"
    );
}
