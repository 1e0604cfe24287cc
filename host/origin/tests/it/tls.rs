//! HTTPS: whom we believe, which protocol is spoken, and that it is not left.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use ledge_origin::{CertificateDer, Client, Connection, FetchError};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::origin::{Log, connected_client, get, read, redirect, serve, text};

struct Secure {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
}

impl Secure {
    /// An origin with a certificate for registry.example, speaking `protocols`.
    async fn start(
        protocols: &[&str],
        answer: impl Fn(&Request<Incoming>) -> Response<Full<bytes::Bytes>>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let names = vec!["registry.example".to_owned()];
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(names).expect("a certificate");
        let certificate = cert.der().clone();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .expect("a configuration");
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accept");
                let accepting = acceptor.accept(stream);
                let answer = answer.clone();
                tokio::spawn(async move {
                    // A client that does not believe us hangs up.
                    if let Ok(stream) = accepting.await {
                        serve(stream, Log::default(), answer).await;
                    }
                });
            }
        });
        Self {
            address,
            certificate,
        }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.address.port())
    }

    /// A client that is configured for, and trusts, `host`; and believes the
    /// certificate if it is told to.
    fn client(&self, host: &str, believe: bool) -> Client {
        let extra_roots = believe.then(|| self.certificate.clone());
        let connection = Connection {
            extra_roots: extra_roots.into_iter().collect(),
            ..Connection::default()
        };
        connected_client(&[&self.url(host)], &[host], connection)
    }
}

#[tokio::test]
async fn speaks_what_the_origin_prefers() {
    for (protocols, version) in [
        (vec!["h2", "http/1.1"], Version::HTTP_2),
        (vec!["http/1.1"], Version::HTTP_11),
        (vec![], Version::HTTP_11),
    ] {
        let origin = Secure::start(&protocols, |_| text("hello")).await;
        let client = origin.client("registry.example", true);
        for _ in 0..3 {
            let fetched = get(&client, &origin.url("registry.example")).await;
            let fetched = fetched.expect("an answer");
            assert_eq!(fetched.response.version(), version);
            assert_eq!(read(fetched).await.expect("a body"), "hello");
        }
    }
}

#[tokio::test]
async fn believes_nobody_else() {
    let origin = Secure::start(&[], |_| text("hello")).await;
    for (host, believe, why) in [
        ("registry.example", false, "UnknownIssuer"),
        (
            "other.example",
            true,
            "not valid for name \"other.example\"",
        ),
    ] {
        let client = origin.client(host, believe);
        let error = get(&client, &origin.url(host)).await.expect_err(host);
        assert!(matches!(error, FetchError::Unreachable { .. }), "{error:?}");
        let text = error.to_string();
        let start = format!(
            "cannot connect to {host}:{}: invalid peer certificate: ",
            origin.address.port()
        );
        assert!(text.starts_with(&start) && text.contains(why), "{text}");
    }
}

#[tokio::test]
async fn is_not_left_for_plain_http() {
    let origin = Secure::start(&[], |request| match request.uri().path() {
        "/down" => redirect("http://registry.example/?secret"),
        _ => text("hello"),
    })
    .await;
    let client = origin.client("registry.example", true);
    let url = format!("{}/down", origin.url("registry.example"));
    assert_eq!(
        get(&client, &url).await.expect_err("denied").to_string(),
        "registry.example may not be reached: it would be plain HTTP"
    );
}
