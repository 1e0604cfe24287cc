//! How an upstream's hosts are connected to.

use rustls::pki_types::CertificateDer;

use crate::pem::Identity;
use crate::proxy::Proxy;

/// What is particular to the connections made for an upstream: to its endpoints,
/// to the token services that they name, and to where any of these redirects.
/// Upstreams whose settings are equal share their connections; others share none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Authorities to believe besides Mozilla's and the system's, for a proxy too.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// The certificate to show to the upstream's endpoints and trusted hosts, where
    /// they ask for one. Nobody else is shown it: it tells who we are, and an origin
    /// decides where it redirects.
    pub identity: Option<Identity>,
    /// Whom to go through.
    pub proxy: Option<Proxy>,
}
