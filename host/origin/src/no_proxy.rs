//! Who is reached past a proxy: lists as `NO_PROXY` holds them. There is no
//! standard; this reads what curl and Go's `httpproxy` both do.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::target::Target;

const PORTS: RangeInclusive<u16> = 1..=u16::MAX;

/// The entries of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NoProxy(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// A name and everything below it.
    Domain(String),
    /// Everything below a name.
    Below(String),
    /// Hosts that are literal addresses: names are not resolved.
    Network(IpNet),
}

impl NoProxy {
    /// Entries between commas or white space.
    ///
    /// # Errors
    /// The entry that is none of these.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        list.split(|c: char| c == ',' || c.is_whitespace())
            .filter(|entry| !entry.is_empty())
            .map(|entry| Entry::parse(entry).ok_or_else(|| entry.to_owned()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) fn covers(&self, target: &Target) -> bool {
        self.0.iter().any(|entry| entry.covers(target))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if let Some(network) = network(text) {
            return Some(Self::of(Hosts::Network(network), None));
        }
        let (hosts, port) = match text.rsplit_once(':') {
            Some((hosts, port)) if !text.ends_with(']') => (hosts, Some(read_port(port)?)),
            _ => (text, None),
        };
        let bare = hosts.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let hosts = match (bare, network(hosts)) {
            (Some(address), _) => Hosts::Network(network(address)?),
            // Where an IPv6 address ends and a port begins, only brackets tell.
            (None, Some(network @ IpNet::V4(_))) => Hosts::Network(network),
            (None, Some(IpNet::V6(_))) => return None,
            (None, None) => Hosts::named(&hosts.to_ascii_lowercase())?,
        };
        Some(Self::of(hosts, port))
    }

    fn of(hosts: Hosts, port: Option<u16>) -> Self {
        Self { hosts, port }
    }

    fn covers(&self, target: &Target) -> bool {
        self.port.is_none_or(|port| port == target.port) && self.hosts.cover(target)
    }
}

impl Hosts {
    fn named(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        let below = text.strip_prefix("*.").or_else(|| text.strip_prefix('.'));
        let name = below.unwrap_or(text);
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let whole = !name.is_empty() && name.split('.').all(|label| !label.is_empty());
        if !whole || !name.chars().all(known) {
            return None;
        }
        Some(match below {
            Some(name) => Self::Below(name.to_owned()),
            None => Self::Domain(name.to_owned()),
        })
    }

    fn cover(&self, target: &Target) -> bool {
        match (self, target.literal()) {
            (Self::All, _) => true,
            (Self::Network(network), Some(ip)) => network.contains(&ip.to_canonical()),
            (Self::Domain(name), None) => target.host == *name || is_below(&target.host, name),
            (Self::Below(name), None) => is_below(&target.host, name),
            (Self::Network(_), None) | (Self::Domain(_) | Self::Below(_), Some(_)) => false,
        }
    }
}

fn is_below(host: &str, name: &str) -> bool {
    host.strip_suffix(name)
        .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// `address` or `address/prefix`.
fn network(text: &str) -> Option<IpNet> {
    let address = |text: &str| text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(|| address(text))
}

fn read_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok()?;
    (digits && PORTS.contains(&port)).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(list: &str, url: &str) -> bool {
        let target = Target::of(&url.parse().expect(url)).expect(url);
        NoProxy::parse(list).expect(list).covers(&target)
    }

    #[test]
    fn lists() {
        for (list, url, covered) in [
            ("", "https://hub.example/", false),
            (" , ", "https://hub.example/", false),
            ("*", "https://hub.example/", true),
            ("*", "http://[::1]/", true),
            ("*:443", "https://hub.example/", true),
            ("*:443", "http://hub.example/", false),
            // A name is itself and what is below it.
            ("hub.example", "https://hub.example/", true),
            ("HUB.example", "https://hub.Example/", true),
            ("hub.example", "https://eu.hub.example/", true),
            ("hub.example", "https://githubhub.example/", false),
            ("hub.example", "https://hub.example.com/", false),
            ("example", "https://hub.example/", true),
            // A suffix is what is below it alone.
            (".hub.example", "https://eu.hub.example/", true),
            (".hub.example", "https://a.b.hub.example/", true),
            (".hub.example", "https://hub.example/", false),
            ("*.hub.example", "https://eu.hub.example/", true),
            ("*.hub.example", "https://hub.example/", false),
            // Ports.
            ("hub.example:443", "https://hub.example/", true),
            ("hub.example:443", "https://hub.example:8443/", false),
            (".example:80", "http://hub.example/", true),
            // Addresses and networks.
            ("10.1.2.3", "http://10.1.2.3:5000/", true),
            ("10.1.2.3", "http://10.1.2.4/", false),
            ("10.1.2.3:5000", "http://10.1.2.3:5000/", true),
            ("10.1.2.3:5000", "http://10.1.2.3/", false),
            ("10.0.0.0/8", "http://10.200.0.1/", true),
            ("10.0.0.0/8", "http://11.0.0.1/", false),
            ("10.0.0.0/8:80", "http://10.0.0.1/", true),
            ("10.0.0.7/8", "http://10.200.0.1/", true),
            ("10.0.0.0/8", "http://[::ffff:10.0.0.1]/", true),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("fd00::/8", "http://[fe80::1]/", false),
            ("::1", "http://[::1]/", true),
            ("[::1]", "http://[::1]:81/", true),
            ("[::1]:80", "http://[::1]/", true),
            ("[::1]:80", "http://[::1]:81/", false),
            // Names are not resolved, and addresses have no domains.
            ("127.0.0.0/8", "http://localhost/", false),
            ("localhost", "http://localhost:5000/", true),
            ("1", "http://10.0.0.1/", false),
            // Several.
            ("a.example, b.example", "https://b.example/", true),
            ("a.example b.example,", "https://b.example/", true),
            ("a.example,b.example", "https://c.example/", false),
        ] {
            assert_eq!(covers(list, url), covered, "{list:?} {url}");
        }
    }

    #[test]
    fn entries_that_are_none() {
        for list in [
            ".",
            "*.",
            "a..b",
            "a.",
            "a*",
            "https://a",
            "u@a",
            "a:",
            "a:x",
            "a:+1",
            "a:0",
            "a:65536",
            "[::1",
            "[a]",
            "10.0.0.0/33",
            "fd00::/129",
        ] {
            let parsed = NoProxy::parse(&format!("ok.example,{list}"));
            assert_eq!(parsed, Err(list.to_owned()));
        }
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_refused_or_read(list in r"[a-f0-9.:,*/\[\] -]{0,30}") {
            let target = Target::of(&"http://10.0.0.1/".parse().expect("a URI")).expect("a target");
            let _ = NoProxy::parse(&list).map(|list| list.covers(&target));
        }
    }
}
