//! Names of registries, hosts, and the URLs of endpoints.

use std::fmt;

use url::{Host, Url};

use crate::error::{Fault, Quoted};

/// The longest name of a host (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 253;

/// Where an upstream answers: scheme, host and port, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let url = Url::parse(text).map_err(Fault::Url)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Fault::UrlScheme(Quoted::of(url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::UrlCredentials);
        }
        let more = !matches!(url.path(), "" | "/") || url.query().is_some();
        if more || url.fragment().is_some() {
            return Err(Fault::UrlPath);
        }
        // The URL standard takes more for a host than DNS and the component do, `*` and `.` among it.
        if url.domain().is_some_and(|domain| !is_domain(domain)) || url.port() == Some(0) {
            return Err(Fault::UrlHost);
        }
        Ok(Self(url))
    }

    /// As a URL. Its path is `/`.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

/// Without a slash at the end, and without the scheme's usual port.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

/// The name of an upstream, as clients write it in `ns=` and before a repository: a host in
/// lowercase, perhaps with a port.
pub(crate) fn upstream_name(text: &str) -> Result<String, Fault> {
    let (host, port) = split_port(text);
    let lowercase = !text.contains(|c: char| c.is_ascii_uppercase());
    let well_formed = lowercase && is_domain(host) && port.is_none_or(is_port);
    if well_formed {
        Ok(text.to_owned())
    } else {
        Err(Fault::UpstreamName(Quoted::of(text)))
    }
}

/// A host, perhaps with a port, in lowercase. Addresses of IPv6 stand in brackets.
pub(crate) fn host(text: &str) -> Result<String, Fault> {
    let refused = || Fault::Host(Quoted::of(text));
    let (name, port) = split_port(text);
    if name.len() > LONGEST_HOST || port.is_some_and(|port| !is_port(port)) {
        return Err(refused());
    }
    let parsed = Host::parse(name).map_err(|_| refused())?;
    if matches!(&parsed, Host::Domain(domain) if !is_domain(domain)) {
        return Err(refused());
    }
    Ok(match port {
        Some(port) => format!("{parsed}:{port}"),
        None => parsed.to_string(),
    })
}

/// Letters, digits, `.`, `-` and `_`, with a letter or digit at either end. DNS has no underscore
/// in the name of a host; networks of containers do.
fn is_domain(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| edge(c) || ".-_".contains(c);
    text.len() <= LONGEST_HOST
        && text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(inner)
        && !text.contains("..")
}

/// The host and the port of `host:port`; a colon inside of brackets is the address's own.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// Digits alone (`u16`'s own parser takes `+5`), and not 0.
fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, host, upstream_name};

    #[test]
    fn endpoints() {
        let good = [
            ("https://ghcr.io", "https://ghcr.io"),
            ("https://GHCR.io:443/", "https://ghcr.io"),
            ("http://127.0.0.1:5001", "http://127.0.0.1:5001"),
            ("http://[::1]:5001/", "http://[::1]:5001"),
        ];
        for (text, printed) in good {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!(endpoint.to_string(), printed);
            let again = Endpoint::parse(printed).expect(printed);
            assert_eq!(endpoint, again);
        }
        for bad in [
            "",
            "ghcr.io",
            "ghcr.io:443",
            "ftp://ghcr.io",
            "https://",
            "https://user@ghcr.io",
            "https://:password@ghcr.io",
            "https://ghcr.io/v2",
            "https://ghcr.io?a",
            "https://ghcr.io#a",
            "https://ghcr.io:99999",
            "https://ghcr.io:0",
            "http://.",
            "https://*.example",
            "https://-a",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn upstream_names() {
        for good in [
            "docker.io",
            "registry.k8s.io",
            "localhost:5000",
            "10.0.0.1:5000",
            "a",
            "my_registry",
        ] {
            assert_eq!(upstream_name(good).expect(good), good);
        }
        let long = "a".repeat(254);
        for bad in [
            "",
            ".",
            "Docker.io",
            "docker.io/library",
            "docker..io",
            "-a",
            "a:",
            "a:0",
            "a:+5",
            "a:65536",
            "https://a",
            "a b",
            "[::1]:5000",
            "ä.example",
            &long,
        ] {
            assert!(upstream_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts() {
        let good = [
            ("auth.docker.io", "auth.docker.io"),
            ("Auth.Example", "auth.example"),
            ("10.0.0.5:5000", "10.0.0.5:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("[FD00::1]", "[fd00::1]"),
        ];
        for (text, printed) in good {
            assert_eq!(host(text).expect(text), printed);
        }
        for bad in [
            "",
            "https://a",
            "a/b",
            "user@a",
            "*.example",
            ".",
            "_",
            "a.",
            "a:",
            "a:0",
            "a:+5",
            "a:x",
            "::1",
            "a b",
            "a?b",
            "[::1",
        ] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }
}
