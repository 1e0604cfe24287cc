//! An authority of a test, and HTTPS origins with its certificates.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use ledge_origin::{CertificateDer, Identity, Pem};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::origin::{Log, Seen, serve};

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = parameters(&format!("authority {name}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A client certificate, as read from files.
    pub(crate) fn identity(&self) -> Identity {
        let (certificate, key) = self.sign(&parameters("edge.example"));
        let certificate = encode("CERTIFICATE", certificate.der());
        let key = encode("PRIVATE KEY", &key.serialize_der());
        let file = |file, text| Pem { file, bytes: text };
        let certificate = file("edge.pem", certificate.as_bytes());
        Identity::from_pem(certificate, file("edge.key", key.as_bytes())).expect("an identity")
    }

    /// A server that takes client certificates of this authority, and wants `demand`.
    pub(crate) fn server(&self, host: &str, demand: Demand) -> ServerConfig {
        self.server_with(&parameters(host), demand)
    }

    /// A server whose certificate was valid once.
    pub(crate) fn expired_server(&self, host: &str) -> ServerConfig {
        let mut params = parameters(host);
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.server_with(&params, Demand::Optional)
    }

    fn server_with(&self, params: &CertificateParams, demand: Demand) -> ServerConfig {
        let (certificate, key) = self.sign(params);
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()).expect("an authority");
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = match demand {
            Demand::Required => verifier,
            Demand::Optional => verifier.allow_unauthenticated(),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a configuration")
    }

    fn sign(&self, params: &CertificateParams) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.0).expect("a certificate");
        (signed, key)
    }
}

/// Whether a client must show a certificate, or is only asked for one.
#[derive(Clone, Copy)]
pub(crate) enum Demand {
    Required,
    Optional,
}

fn encode(label: &str, der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn parameters(name: &str) -> CertificateParams {
    let names = match name.contains(' ') {
        true => vec![],
        false => vec![name.to_owned()],
    };
    let mut params = CertificateParams::new(names).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// An HTTPS origin on 127.0.0.1.
pub(crate) struct Secure {
    pub(crate) address: SocketAddr,
    log: Log,
    shown: Arc<Mutex<Vec<bool>>>,
}

impl Secure {
    pub(crate) async fn start(
        config: ServerConfig,
        answer: impl Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("an address");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let log = Log::default();
        let shown = Arc::new(Mutex::default());
        let origin = Self {
            address,
            log: log.clone(),
            shown: Arc::clone(&shown),
        };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accept");
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                tokio::spawn(converse(
                    acceptor,
                    stream,
                    log.clone(),
                    Arc::clone(&shown),
                    answer,
                ));
            }
        });
        origin
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.address.port())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.log.seen()
    }

    /// For each connection, whether the client showed a certificate.
    pub(crate) fn shown(&self) -> Vec<bool> {
        self.shown.lock().expect("no panic").clone()
    }
}

async fn converse(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    log: Log,
    shown: Arc<Mutex<Vec<bool>>>,
    answer: impl Fn(&Request<Incoming>) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
) {
    // A client that does not believe us hangs up.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let certificates = stream.get_ref().1.peer_certificates();
    let certified = certificates.is_some();
    shown.lock().expect("no panic").push(certified);
    serve(stream, log, answer).await;
}
