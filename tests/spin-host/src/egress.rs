//! Where the component may send requests: `allowed_outbound_hosts`.

use anyhow::{Context as _, Result, bail, ensure};
use http::Uri;

/// The hosts that a manifest allows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed(Vec<Entry>);

/// `scheme://host:port`, each of which may be `*`, the host also `*.domain`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    scheme: Option<String>,
    host: Host,
    /// None is any.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    Exactly(String),
    /// Any subdomain; with the dot.
    Below(String),
}

impl Allowed {
    /// The entries, after their variables were put in.
    pub(crate) fn parse(entries: &[String]) -> Result<Self> {
        let entries = entries.iter().map(|entry| Entry::parse(entry));
        Ok(Self(entries.collect::<Result<_>>()?))
    }

    /// Whether a request to this URL may leave.
    pub(crate) fn allows(&self, uri: &Uri) -> bool {
        self.0.iter().any(|entry| entry.allows(uri))
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text
            .split_once("://")
            .with_context(|| format!("{text:?} has no scheme"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        ensure!(
            !rest.contains('/'),
            "{text:?} has a path, which is not allowed"
        );
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match (port, scheme) {
            (Some("*"), _) => None,
            (Some(port), _) => Some(
                port.parse()
                    .with_context(|| format!("{text:?} has no port"))?,
            ),
            (None, "http") => Some(80),
            (None, "https") => Some(443),
            (None, _) => bail!("{text:?} has no port"),
        };
        Ok(Self {
            scheme: (scheme != "*").then(|| scheme.to_ascii_lowercase()),
            host: Host::parse(host).with_context(|| format!("{text:?} has no host"))?,
            port,
        })
    }

    fn allows(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return false;
        };
        let own = if scheme == "https" { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(own);
        self.scheme
            .as_deref()
            .is_none_or(|allowed| allowed == scheme)
            && self.host.allows(&host.to_ascii_lowercase())
            && self.port.is_none_or(|allowed| allowed == port)
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self> {
        let text = text.to_ascii_lowercase();
        if text == "*" {
            return Ok(Self::Any);
        }
        let (name, below) = match text.strip_prefix('*') {
            Some(domain) if domain.starts_with('.') => (domain, true),
            _ => (text.as_str(), false),
        };
        ensure!(
            !name.is_empty() && !name.contains('*'),
            "a wildcard stands first, before a dot"
        );
        Ok(if below {
            Self::Below(name.to_owned())
        } else {
            Self::Exactly(name.to_owned())
        })
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(name) => name == host,
            Self::Below(domain) => host.ends_with(domain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Allowed;

    #[test]
    fn entries_allow_what_spins_do() {
        for (entry, url, allowed) in [
            ("https://ghcr.io", "https://ghcr.io/v2/", true),
            ("https://ghcr.io", "https://ghcr.io:443/v2/", true),
            ("https://ghcr.io", "http://ghcr.io/v2/", false),
            ("https://ghcr.io", "https://ghcr.io:8443/", false),
            ("https://ghcr.io", "https://ghcr.io.evil/", false),
            ("https://*.docker.io", "https://auth.docker.io/token", true),
            ("https://*.docker.io", "https://docker.io/", false),
            ("https://*.docker.io", "https://evildocker.io/", false),
            ("http://127.0.0.1:*", "http://127.0.0.1:4711/", true),
            ("http://127.0.0.1:*", "http://127.0.0.2:4711/", false),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/b/k?x", true),
            ("*://host:9000", "https://HOST:9000/", true),
            ("https://*:*", "https://anything:1/", true),
            ("https://none.invalid", "https://ghcr.io/", false),
        ] {
            let list = Allowed::parse(&[entry.to_owned()]).expect(entry);
            let url: http::Uri = url.parse().expect(url);
            assert_eq!(list.allows(&url), allowed, "{entry} {url}");
        }
        assert!(!Allowed::default().allows(&http::Uri::from_static("https://ghcr.io/")));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for entry in [
            "ghcr.io",
            "https://",
            "https://a/b",
            "redis://a",
            "https://a*b",
            "https://a:b",
        ] {
            assert!(Allowed::parse(&[entry.to_owned()]).is_err(), "{entry}");
        }
    }
}
