//! Who is asked: scheme, host and port.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::Authority;
use url::{Host, Url};

use crate::address::is_public;
use crate::error::DenyReason;

/// The schemes that origins are spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// An origin in the sense of RFC 6454: equal ones may see each other's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) scheme: Scheme,
    /// Lowercase; an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// Who an absolute URI leads to.
    pub(crate) fn of(uri: &Uri) -> Result<Self, DenyReason> {
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(DenyReason::Scheme),
        };
        let authority = uri.authority().ok_or(DenyReason::NoHost)?;
        if authority.as_str().contains('@') {
            return Err(DenyReason::UserInfo);
        }
        let (host, port) = split(authority).ok_or(DenyReason::NoHost)?;
        Ok(Self {
            scheme,
            host,
            port: port.unwrap_or(scheme.port()),
        })
    }

    /// Who a URL of the configuration leads to.
    pub(crate) fn of_url(url: &Url) -> Result<Self, DenyReason> {
        let uri = url.as_str().parse().map_err(|_| DenyReason::NoHost)?;
        Self::of(&uri)
    }

    /// The address, where the host is one and no name.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether nobody but the operator decides which address this is.
    pub(crate) fn is_fixed(&self) -> bool {
        self.host == "localhost" || self.literal().is_some()
    }

    /// Whether the host says by itself that it is for inside use, whoever resolves it:
    /// `localhost` (RFC 6761, section 6.3), and private addresses in all forms that
    /// resolvers take, such as `127.1` and `0x7f000001`.
    pub(crate) fn is_evidently_private(&self) -> bool {
        if let Some(address) = self.literal() {
            return !is_public(address);
        }
        match Host::parse(&self.host) {
            Ok(Host::Ipv4(address)) => !is_public(address.into()),
            Ok(Host::Ipv6(address)) => !is_public(address.into()),
            Ok(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || name.ends_with(".localhost")
            }
            // Neither a name nor an address: nobody can be sure.
            Err(_) => true,
        }
    }

    /// `host:port`, also where the port is the scheme's own.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The URI of its root.
    pub(crate) fn uri(&self) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme.name())
            .authority(self.authority())
            .path_and_query("/")
            .build()
    }

    /// Whether it is the same host and port, whatever the scheme.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }
}

impl fmt::Display for Target {
    /// As people write it: the port where it is not the scheme's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port == self.scheme.port() {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// A host that the operator trusts, on one port or on all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustedHost {
    host: String,
    port: Option<u16>,
}

impl TrustedHost {
    /// `host` or `host:port`; IPv6 addresses in brackets if there is a port.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            let host = address.to_string();
            return Some(Self { host, port: None });
        }
        if text.contains('@') {
            return None;
        }
        let (host, port) = split(&text.parse().ok()?)?;
        Some(Self { host, port })
    }

    pub(crate) fn covers(&self, target: &Target) -> bool {
        self.host == target.host && self.port.is_none_or(|port| port == target.port)
    }
}

/// The host, lowercase and without brackets, and the port if there is one.
fn split(authority: &Authority) -> Option<(String, Option<u16>)> {
    let host = authority.host();
    let rest = &authority.as_str()[host.len()..];
    let port = match rest.strip_prefix(':') {
        Some(_) => Some(authority.port_u16()?),
        None if rest.is_empty() => None,
        None => return None,
    };
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?.parse::<IpAddr>().ok()?.to_string(),
        None => host.to_ascii_lowercase(),
    };
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Result<Target, DenyReason> {
        Target::of(&uri.parse().expect("a URI"))
    }

    #[test]
    fn reads_and_prints() {
        for (uri, printed) in [
            ("https://ghcr.io/v2/", "ghcr.io"),
            ("https://GHCR.io:443", "ghcr.io"),
            ("http://ghcr.io:443", "ghcr.io:443"),
            ("http://localhost:5000/?a=b", "localhost:5000"),
            ("https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443"),
            ("http://[::1]", "[::1]"),
        ] {
            assert_eq!(target(uri).expect(uri).to_string(), printed, "{uri}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_be_sure_of() {
        for (uri, why) in [
            ("/v2/", DenyReason::Scheme),
            ("ghcr.io:443", DenyReason::Scheme),
            ("ftp://a/", DenyReason::Scheme),
            ("https://user:secret@ghcr.io/", DenyReason::UserInfo),
            ("https://@ghcr.io/", DenyReason::UserInfo),
            ("https://[v1.a]/", DenyReason::NoHost),
            ("https://[::1]x/", DenyReason::NoHost),
            ("https://a:/", DenyReason::NoHost),
            ("https://a:70000/", DenyReason::NoHost),
        ] {
            // What the http crate refuses itself never gets here.
            if let Ok(parsed) = uri.parse() {
                assert_eq!(Target::of(&parsed), Err(why), "{uri}");
            }
        }
    }

    #[test]
    fn literal_addresses_are_those_that_are_not_resolved() {
        for (uri, literal, fixed) in [
            ("http://127.0.0.1:1", true, true),
            ("http://[::1]", true, true),
            ("http://localhost", false, true),
            // These are names to us: whatever they resolve to is looked at.
            ("http://127.1", false, false),
            ("http://0x7f000001", false, false),
            ("http://2130706433", false, false),
            ("http://localhost.", false, false),
            ("http://ghcr.io", false, false),
        ] {
            let target = target(uri).expect(uri);
            assert_eq!(target.literal().is_some(), literal, "{uri}");
            assert_eq!(target.is_fixed(), fixed, "{uri}");
        }
    }

    #[test]
    fn what_is_private_by_its_form() {
        for (uri, private) in [
            ("http://127.0.0.1", true),
            ("http://10.1.2.3:5000", true),
            ("http://[::1]", true),
            ("http://[::ffff:10.0.0.1]", true),
            ("http://127.1", true),
            ("http://0x7f000001", true),
            ("http://2130706433", true),
            ("http://0177.0.0.1", true),
            ("http://127.0.0.1.", true),
            ("http://1.2.3.256", true),
            ("http://localhost", true),
            ("http://localhost.:80", true),
            ("http://a.LOCALHOST", true),
            ("http://8.8.8.8", false),
            ("http://8.8.2056", false),
            ("http://[2001:4860:4860::8888]", false),
            ("http://hub.example", false),
            ("http://notlocalhost", false),
            ("http://localhost.example", false),
        ] {
            let target = target(uri).expect(uri);
            assert_eq!(target.is_evidently_private(), private, "{uri}");
        }
    }

    #[test]
    fn authorities_have_a_port() {
        for (uri, authority) in [
            ("https://ghcr.io/v2/", "ghcr.io:443"),
            ("http://GHCR.io", "ghcr.io:80"),
            ("https://[2001:DB8::1]:8443/", "[2001:db8::1]:8443"),
        ] {
            let target = target(uri).expect(uri);
            assert_eq!(target.authority(), authority);
            let again = Target::of(&target.uri().expect(uri));
            assert_eq!(again, Ok(target), "{uri}");
        }
    }

    #[test]
    fn trusted_hosts() {
        for (trusted, uri, covered) in [
            ("minio.lan", "https://minio.lan:9000/", true),
            ("MINIO.lan:9000", "http://minio.lan:9000/", true),
            ("minio.lan:9000", "https://minio.lan/", false),
            ("minio.lan:443", "https://minio.lan/", true),
            ("lan", "https://minio.lan/", false),
            ("::1", "http://[::1]:80/", true),
            ("[::1]:80", "http://[0:0::1]/", true),
            ("10.0.0.1", "http://10.0.0.1:1/", true),
        ] {
            let host = TrustedHost::parse(trusted).expect(trusted);
            let target = target(uri).expect(uri);
            assert_eq!(host.covers(&target), covered, "{trusted} {uri}");
        }
        for wrong in [
            "",
            "a b",
            "https://a",
            "a/b",
            "u@a",
            "a:",
            "a:x",
            "a:70000",
            "[::1",
            "*",
        ] {
            let parsed = TrustedHost::parse(wrong);
            assert!(parsed.is_none() || wrong == "*", "{wrong}: {parsed:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_again(text in r#"(https?://)?[a-zA-Z0-9.:@/\[\]%_-]{0,30}"#) {
            let parsed = text.parse().ok().and_then(|uri| Target::of(&uri).ok());
            if let Some(first) = parsed {
                let scheme = if first.scheme == Scheme::Http { "http" } else { "https" };
                let again = target(&format!("{scheme}://{first}/"));
                proptest::prop_assert_eq!(again, Ok(first.clone()));
                let trusted = TrustedHost::parse(&first.to_string()).expect("a host");
                proptest::prop_assert!(trusted.covers(&first));
            }
            TrustedHost::parse(&text);
        }
    }
}
