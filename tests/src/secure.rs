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
use tokio::sync::watch;
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
    has_expired: watch::Sender<bool>,
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
        let good = sign(&authority, "127.0.0.1")?;
        let mut parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        parameters.not_after = rcgen::date_time_ymd(2001, 1, 1);
        let expired = signed(&authority, &parameters)?;
        let door = Door {
            listener: TcpListener::bind("127.0.0.1:0").await?,
            good: acceptor(&authority, good)?,
            expired: acceptor(&authority, expired)?,
            origin,
        };
        let has_expired = watch::Sender::new(false);
        Ok(Self {
            address: door.listener.local_addr()?,
            folder,
            accepting: tokio::spawn(door.open(has_expired.subscribe())),
            has_expired,
        })
    }

    /// From now on its certificate has expired, and soon every connection that is open is cut.
    pub fn expire(&self) {
        self.has_expired.send_replace(true);
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

type Signed = (rcgen::Certificate, KeyPair);

fn sign(authority: &Authority, name: &str) -> Result<Signed> {
    signed(authority, &CertificateParams::new(vec![name.to_owned()])?)
}

fn signed(authority: &Authority, parameters: &CertificateParams) -> Result<Signed> {
    let key = KeyPair::generate()?;
    Ok((parameters.signed_by(&key, authority)?, key))
}

fn acceptor(authority: &Authority, (certificate, key): Signed) -> Result<TlsAcceptor> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone())?;
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let key = PrivateKeyDer::try_from(key.serialize_der());
    let key = key.map_err(anyhow::Error::msg).context("a key")?;
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier.build()?)
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok(Arc::new(server).into())
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// Where clients come in, with its two certificates.
struct Door {
    listener: TcpListener,
    good: TlsAcceptor,
    expired: TlsAcceptor,
    origin: SocketAddr,
}

impl Door {
    async fn open(self, mut has_expired: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let Ok((stream, _)) = accepted else { return };
                    let expired = *has_expired.borrow();
                    let acceptor = if expired { &self.expired } else { &self.good };
                    connections.spawn(pass(stream, acceptor.clone(), self.origin));
                }
                Ok(()) = has_expired.changed() => connections.abort_all(),
                Some(_) = connections.join_next() => {}
            }
        }
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
