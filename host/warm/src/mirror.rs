//! Where the mirror is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ledge_core::uri::{Endpoint, Scheme, UriError};

/// A mirror's URL: a scheme, a host and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror(Endpoint);

/// Why there is no mirror to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// The text is no URL of a server.
    #[error("this is no mirror's URL, as http://127.0.0.1:5000 is: {0}")]
    Url(#[from] UriError),
    /// Which port it is, is decided when the mirror starts.
    #[error("the configured port is 0: name the mirror with --mirror, as its log does")]
    Port,
}

impl Mirror {
    /// Reads `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    ///
    /// # Errors
    /// The text is anything more or less than that.
    pub fn parse(text: &str) -> Result<Self, MirrorError> {
        Ok(Self(Endpoint::parse(text)?))
    }

    /// The mirror on this machine that listens there. One that listens everywhere is asked on the
    /// loopback address.
    ///
    /// # Errors
    /// The port is 0.
    pub fn listening(on: SocketAddr) -> Result<Self, MirrorError> {
        if on.port() == 0 {
            return Err(MirrorError::Port);
        }
        let ip = match on.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self::parse(&format!("http://{}", SocketAddr::new(ip, on.port())))
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == Scheme::Https
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_listeners_are_mirrors() {
        for url in [
            "http://127.0.0.1:5000",
            "https://mirror.example",
            "http://[::1]:80",
        ] {
            assert_eq!(Mirror::parse(url).expect(url).to_string(), url);
        }
        for url in ["", "127.0.0.1:5000", "ftp://a", "http://a/b", "http://u@a"] {
            assert!(Mirror::parse(url).is_err(), "{url}");
        }
        let rows = [
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
            ("10.1.2.3:80", "http://10.1.2.3:80"),
        ];
        for (address, url) in rows {
            let mirror = Mirror::listening(address.parse().expect(address));
            assert_eq!(mirror.expect(address).to_string(), url);
        }
        let free = "127.0.0.1:0".parse().expect("an address");
        assert_eq!(Mirror::listening(free), Err(MirrorError::Port));
    }
}
