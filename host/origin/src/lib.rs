//! The only way out of the host: an HTTP client that reaches the configured
//! origins, and where those send it, and nothing else.
//!
//! A [`Client`] sends GET and HEAD requests over pooled connections (HTTP/1.1,
//! and HTTP/2 where TLS negotiates it), follows redirects, and takes credentials
//! off a request before it goes to another host. A POST goes to token services alone,
//! and no further. [`EgressRules`] say which hosts may be asked:
//!
//! | target | how it is let through | may have a private address |
//! |---|---|---|
//! | an endpoint of an upstream | it is configured | if the URL is a literal address or `localhost`, or its host is trusted |
//! | a trusted host | it is configured | yes |
//! | the `realm` of an endpoint's Bearer challenge | remembered when the 401 passes | if trusted, or the host of such an endpoint |
//! | where any of these redirects to | while it is followed | if trusted, or such an endpoint itself |
//!
//! Private is every address that is not globally reachable unicast: loopback,
//! link-local, unique local, multicast and so on (see the IANA special-purpose
//! address registries, RFC 6890). It is checked on the very addresses that are
//! connected to, after the name is resolved.
//!
//! An upstream's [`Connection`] says which authorities are believed beyond the usual,
//! which client certificate is shown, and which proxy is used. It holds for its
//! endpoints, for the realms that they name, and for all redirects from there; but the
//! certificate is shown to the upstream's endpoints and trusted hosts only. With a
//! proxy, it is the proxy that resolves names: the rule on private addresses then
//! covers only hosts that are one by their form (literal addresses, `localhost`), and
//! what a name leads to is for the proxy's own rules.
//!
//! Plain HTTP is spoken only with upstreams that have an `http://` endpoint, and
//! never after HTTPS. Errors name hosts; never a query or a header, because
//! those hold tokens and signatures.

mod address;
mod body;
mod client;
mod connect;
mod connection;
mod error;
mod headers;
mod lookup;
mod no_proxy;
mod pem;
mod pools;
mod proxy;
mod realm;
mod redirect;
mod retry;
mod rules;
mod target;
mod tls;
mod tunnel;
mod wire;

use std::time::Duration;

pub use body::OriginBody;
pub use client::{Client, Fetched};
pub use connection::Connection;
pub use error::{ClientError, DenyReason, FetchError, RedirectFault, Wait};
pub use lookup::{Lookup, Lookups, SystemLookup};
pub use pem::{Identity, Pem, PemError, authorities};
pub use proxy::{Proxy, ProxyError};
pub use rules::{EgressRules, RuleError, UpstreamEgress};
pub use rustls::pki_types::CertificateDer;

/// The bounds of a client.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// How long a name may take to resolve and a connection to be made, a proxy and
    /// TLS included.
    pub connect_timeout: Duration,
    /// How long a request may take until its answer's header, with its connection
    /// and all redirects.
    pub header_timeout: Duration,
    /// How long a body may pause.
    pub idle_timeout: Duration,
    /// How many idle connections are kept for one host and port.
    pub max_idle_per_host: usize,
    /// How long to wait, at most, before a request is sent once more that failed in a way that
    /// may be over in a moment; `None` sends it once.
    pub retry: Option<Duration>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            // Two lost SYNs are sent again after 1 s and 3 s (RFC 6298).
            connect_timeout: Duration::from_secs(5),
            // containerd 2.3 gives up on headers after 30 s; a token may have to
            // be asked for first.
            header_timeout: Duration::from_secs(15),
            // One segment lost five times in a row makes TCP pause for 31 s
            // (RFC 6298): whoever is quiet for longer is gone.
            idle_timeout: Duration::from_secs(30),
            // As many as transfers usually run at once with one object store.
            max_idle_per_host: 32,
            // Who asks knows best whether another endpoint is the better second try.
            retry: None,
        }
    }
}
