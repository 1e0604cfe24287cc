//! Whom we believe: Mozilla's authorities, the system's, and the configured ones;
//! and who we are.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use crate::pem::Identity;

/// Those who say whether a host is who it claims to be.
#[derive(Clone)]
pub(crate) struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// Mozilla's and the system's. Reads files.
    pub(crate) fn of_the_system() -> Self {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        roots.add_parsable_certificates(system());
        Self(Arc::new(roots))
    }

    /// These, and more.
    pub(crate) fn and(&self, extra: &[CertificateDer<'static>]) -> Result<Self, rustls::Error> {
        let mut roots = Arc::clone(&self.0);
        for certificate in extra {
            Arc::make_mut(&mut roots).add(certificate.clone())?;
        }
        Ok(Self(roots))
    }

    /// The client's side of TLS, without ALPN: the connector adds that. Sessions are
    /// resumed within one such configuration: an identity has its own.
    pub(crate) fn client(
        &self,
        identity: Option<&Identity>,
    ) -> Result<ClientConfig, rustls::Error> {
        let builder = self.builder()?;
        Ok(match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let shown = SingleCertAndKey::from(identity.certified());
                builder.with_client_cert_resolver(Arc::new(shown))
            }
        })
    }

    fn builder(&self) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(Arc::clone(&self.0)))
    }
}

/// A system without any is common (containers) and no error.
fn system() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "a system certificate cannot be read");
    }
    found.certs
}
