//! Where a server is: `redis://host:6379/0`, `rediss://` with TLS; `valkey` is the same.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// The port that Valkey and Redis listen on.
const PORT: u16 = 6379;

/// Where a server is. It prints as its URL, and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// The number of the database; a cluster has only 0.
    pub(crate) database: u16,
}

/// Why a URL names no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no URL.
    #[error("it is not a URL: {0}")]
    Url(#[from] url::ParseError),
    /// It has another scheme.
    #[error("it starts with none of redis://, rediss://, valkey:// and valkeys://")]
    Scheme,
    /// It names nobody.
    #[error("it names no host")]
    Host,
    /// URLs are printed.
    #[error("it holds a user name or a password")]
    Credentials,
    /// Behind the host stands something else than a number.
    #[error("it holds more than a host, a port and the number of a database")]
    More,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text)?;
        let tls = match url.scheme() {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(AddressError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::More);
        }
        let host = match url.host().ok_or(AddressError::Host)? {
            // IPv6 addresses stand without their brackets.
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        };
        let database = match url.path() {
            "" | "/" => 0,
            path => path[1..].parse().map_err(|_| AddressError::More)?,
        };
        Ok(Self {
            host,
            port: url.port().unwrap_or(PORT),
            tls,
            database,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}/{}", self.database)
        } else {
            write!(f, "{scheme}://{host}:{port}/{}", self.database)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let rows = [
            ("redis://10.0.0.5", "redis://10.0.0.5:6379/0"),
            ("valkey://cache.lan:7000/3", "redis://cache.lan:7000/3"),
            ("rediss://cache.lan/", "rediss://cache.lan:6379/0"),
            ("valkeys://[::1]:1", "rediss://[::1]:1/0"),
        ];
        for (text, shown) in rows {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address));
        }
        let rows = [
            (
                "10.0.0.5:6379",
                AddressError::Url(url::ParseError::RelativeUrlWithoutBase),
            ),
            ("http://10.0.0.5", AddressError::Scheme),
            ("redis:///0", AddressError::Host),
            ("redis://me:hunter2@10.0.0.5", AddressError::Credentials),
            ("redis://:hunter2@10.0.0.5", AddressError::Credentials),
            ("redis://10.0.0.5/x", AddressError::More),
            ("redis://10.0.0.5/0?protocol=resp3", AddressError::More),
        ];
        for (text, error) in rows {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
    }
}
