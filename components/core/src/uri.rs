//! The few shapes of URI that a registry mirror meets: RFC 3986 with the `http`
//! and `https` schemes of RFC 9110, section 4.2, without user information.

use std::fmt;

/// Longest URI that is read, in bytes: the length that RFC 9110, section 4.1
/// asks everyone to support.
pub const MAX_URI: usize = 8000;

/// Longest host name in bytes (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 255;

/// How an origin is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why a text is no URI that a mirror can use. The text itself is not repeated:
/// it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It does not start with `http://` or `https://`.
    #[error("it starts with neither http:// nor https://")]
    Scheme,
    /// There is a user name or a password in it.
    #[error("it holds user information")]
    UserInformation,
    /// The host is empty, too long, or has a character that host names lack.
    #[error("its host is malformed")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// It has a path, a query or a fragment where none may be.
    #[error("it has more than a scheme, a host and a port")]
    Tail,
    /// It is longer than [`MAX_URI`] or has a character that no URI has.
    #[error("it is too long or has a character that no URI has")]
    Text,
}

/// A host and perhaps a port: `ghcr.io`, `localhost:5000`, `[::1]:5000`. Lowercase.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Authority {
    text: Box<str>,
    host_len: usize,
    port: Option<u16>,
}

impl Authority {
    /// Parses `host[:port]`; upper case is made lower.
    ///
    /// # Errors
    /// The host or the port is malformed.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.contains('@') {
            return Err(UriError::UserInformation);
        }
        let host_len = host_len(text)?;
        let port = match &text[host_len..] {
            "" => None,
            tail => Some(parse_port(tail.strip_prefix(':').ok_or(UriError::Host)?)?),
        };
        Ok(Self {
            text: text.to_ascii_lowercase().into_boxed_str(),
            host_len,
            port,
        })
    }

    /// `host[:port]`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone; an IPv6 address keeps its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.text[..self.host_len]
    }

    /// The port, if there is one.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where an origin listens: `https://registry-1.docker.io`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    scheme: Scheme,
    authority: Authority,
}

impl Endpoint {
    /// Parses `scheme://authority`; one slash at the end is forgiven.
    ///
    /// # Errors
    /// The text is anything more or less than that.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let uri = HttpUri::parse(text)?;
        if uri.path_and_query == "/" && !text.ends_with("//") {
            Ok(uri.endpoint)
        } else {
            Err(UriError::Tail)
        }
    }

    /// How it is spoken to.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its host and port.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The port, the scheme's own if none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port.unwrap_or(self.scheme.default_port())
    }

    /// Whether host and port are those of `other`, whatever the schemes.
    #[must_use]
    pub fn same_place(&self, other: &Self) -> bool {
        self.authority.host() == other.authority.host() && self.port() == other.port()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)
    }
}

/// An absolute `http` or `https` URI without fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUri {
    endpoint: Endpoint,
    path_and_query: String,
}

impl HttpUri {
    /// Parses an absolute URI. An absent path becomes `/`.
    ///
    /// # Errors
    /// The text is no such URI.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.len() > MAX_URI || !text.bytes().all(is_uri_byte) {
            return Err(UriError::Text);
        }
        let (scheme, rest) = split_scheme(text).ok_or(UriError::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if tail.contains('#') {
            return Err(UriError::Tail);
        }
        let path_and_query = if tail.starts_with('/') {
            tail.to_owned()
        } else {
            format!("/{tail}")
        };
        let authority = Authority::parse(authority)?;
        Ok(Self {
            endpoint: Endpoint { scheme, authority },
            path_and_query,
        })
    }

    /// Where it leads to.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// From the first slash on.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }
}

impl fmt::Debug for HttpUri {
    /// Without the query, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        write!(f, "{}{path}", self.endpoint)
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.eq_ignore_ascii_case("https") {
        Some((Scheme::Https, rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Some((Scheme::Http, rest))
    } else {
        None
    }
}

/// How many bytes the host in front of a `:port` has.
fn host_len(text: &str) -> Result<usize, UriError> {
    let (len, good) = if text.starts_with('[') {
        let end = text.find(']').ok_or(UriError::Host)?;
        let address = text[1..end].parse::<std::net::Ipv6Addr>();
        (end + 1, address.is_ok())
    } else {
        let len = text.find(':').unwrap_or(text.len());
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        (len, text[..len].bytes().all(known) && len > 0)
    };
    if good && len <= MAX_HOST && text[..len].bytes().any(|b| b != b'.') {
        Ok(len)
    } else {
        Err(UriError::Host)
    }
}

fn parse_port(text: &str) -> Result<u16, UriError> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(UriError::Port),
        Ok(port) => Ok(port),
    }
}

const fn is_uri_byte(b: u8) -> bool {
    b.is_ascii_graphic()
        && !matches!(
            b,
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

#[cfg(test)]
mod tests;
