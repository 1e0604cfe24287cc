//! TLS in front of an origin, with an authority that nobody else believes.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// A port of 127.0.0.1 that speaks TLS for an origin, and has whoever connects show a certificate. Dropping it
/// closes every connection.
#[derive(Debug)]
pub struct Secure {
    address: SocketAddr,
    folder: TempDir,
    accepting: JoinHandle<()>,
}

impl Secure {
    /// Starts it, and writes the files that a client needs.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start(origin: SocketAddr) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ledge-tls-").tempdir()?;
        let authority = authority()?;
        let write = |name: &str, label: &str, der: &[u8]| {
            fs::write(folder.path().join(name), pem(label, der))
        };
        write("ca.pem", "CERTIFICATE", authority.der())?;
        let (certificate, key) = sign(&authority, "edge.example")?;
        write("edge.pem", "CERTIFICATE", certificate.der())?;
        write("edge.key", "PRIVATE KEY", &key.serialize_der())?;
        let acceptor = TlsAcceptor::from(Arc::new(server(&authority)?));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok(Self {
            address: listener.local_addr()?,
            folder,
            accepting: tokio::spawn(accept(listener, acceptor, origin)),
        })
    }

    /// `https://…`
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The authority's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A client certificate that it takes, and the key.
    #[must_use]
    pub fn identity(&self) -> [PathBuf; 2] {
        ["edge.pem", "edge.key"].map(|name| self.folder.path().join(name))
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Result<Authority> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let name = "an authority of a test";
    parameters.distinguished_name.push(DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(
        parameters,
        KeyPair::generate()?,
    )?)
}

fn sign(authority: &Authority, name: &str) -> Result<(rcgen::Certificate, KeyPair)> {
    let key = KeyPair::generate()?;
    let parameters = CertificateParams::new(vec![name.to_owned()])?;
    Ok((parameters.signed_by(&key, authority)?, key))
}

fn server(authority: &Authority) -> Result<ServerConfig> {
    let (certificate, key) = sign(authority, "127.0.0.1")?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone())?;
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let key = PrivateKeyDer::try_from(key.serialize_der());
    let key = key.map_err(anyhow::Error::msg).context("a key")?;
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier.build()?)
        .with_single_cert(vec![certificate.der().clone()], key)?)
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, origin: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(pass(stream, acceptor.clone(), origin));
        while connections.try_join_next().is_some() {}
    }
}

/// Whoever hangs up, or is not let in, is gone.
async fn pass(stream: TcpStream, acceptor: TlsAcceptor, origin: SocketAddr) {
    let Ok(mut secure) = acceptor.accept(stream).await else {
        return;
    };
    if let Ok(mut plain) = TcpStream::connect(origin).await {
        let _ = copy_bidirectional(&mut secure, &mut plain).await;
    }
}
