//! A mirror behind TLS is asked only if the system believes it.

use std::sync::Arc;

use ledge_warm::{Image, Mirror as Url, Options, Progress, warm};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto};

use crate::mirror::Mirror;

#[tokio::test]
async fn a_certificate_of_nobody_is_refused() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = signing_key.serialize_der().try_into().expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a configuration");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let handshake = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        acceptor.accept(stream).await.map(|_| ())
    });
    let mirror = Mirror::start().await;
    let url = Url::parse(&format!("https://localhost:{port}")).expect("a URL");
    let options = Options {
        mirror: url,
        ..mirror.options()
    };
    let images = [Image::parse("alpine").expect("an image")];
    let error = warm(&images, &options, &Progress::Quiet)
        .await
        .expect_err("nobody knows it");
    assert!(error.to_string().contains("certificate"), "{error}");
    handshake
        .await
        .expect("no panic")
        .expect_err("the client hangs up");
}
