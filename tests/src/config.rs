//! Ledge's configuration file, as tests need it.

use std::fmt::Write as _;
use std::net::SocketAddr;

/// One `[upstreams."NAME"]` table.
#[derive(Debug, Clone)]
pub struct Upstream {
    name: String,
    lines: Vec<String>,
}

impl Upstream {
    /// An upstream at `http://ADDRESS`.
    #[must_use]
    pub fn new(name: &str, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            lines: vec![format!("url = \"http://{address}\"")],
        }
    }

    /// An upstream at any URL.
    #[must_use]
    pub fn at(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            lines: vec![format!("url = \"{url}\"")],
        }
    }

    /// An upstream with several endpoints, best first.
    #[must_use]
    pub fn endpoints(name: &str, addresses: &[SocketAddr]) -> Self {
        let urls: Vec<String> = addresses
            .iter()
            .map(|address| format!("\"http://{address}\""))
            .collect();
        Self {
            name: name.to_owned(),
            lines: vec![format!("endpoints = [{}]", urls.join(", "))],
        }
    }

    /// With credentials; such an upstream is private.
    #[must_use]
    pub fn credentials(self, username: &str, password: &str) -> Self {
        self.line(format!("username = \"{username}\""))
            .line(format!("password = \"{password}\""))
    }

    /// Hosts that may get the password as realm, and be private as target of a redirect.
    #[must_use]
    pub fn trusted(self, hosts: &[SocketAddr]) -> Self {
        let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
        self.line(format!("trusted_hosts = [{}]", hosts.join(", ")))
    }

    /// Any other setting.
    #[must_use]
    pub fn line(mut self, line: String) -> Self {
        self.lines.push(line);
        self
    }

    /// Several of them.
    #[must_use]
    pub fn lines(mut self, lines: &[&str]) -> Self {
        self.lines.extend(lines.iter().map(|&line| line.to_owned()));
        self
    }
}

/// A configuration file; every test names its upstreams.
#[derive(Debug, Clone, Default)]
pub struct Config {
    head: String,
    upstreams: Vec<Upstream>,
}

impl Config {
    /// One upstream: docker.io at `address`, which is also the default.
    #[must_use]
    pub fn docker(address: SocketAddr) -> Self {
        Self::only(Upstream::new("docker.io", address))
    }

    /// One upstream, called docker.io, which is also the default.
    #[must_use]
    pub fn only(upstream: Upstream) -> Self {
        Self::default()
            .head("default_upstream = \"docker.io\"")
            .upstream(upstream)
    }

    /// Adds a section `[SECTION]` with one line. Nothing of the head may follow.
    #[must_use]
    pub fn setting(self, section: &str, line: &str) -> Self {
        self.head(&format!("[{section}]\n{line}"))
    }

    /// Adds a line before the upstreams.
    #[must_use]
    pub fn head(mut self, line: &str) -> Self {
        self.head.push_str(line);
        self.head.push('\n');
        self
    }

    /// Adds an upstream.
    #[must_use]
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstreams.push(upstream);
        self
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.head.clone();
        for upstream in &self.upstreams {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\n[upstreams.\"{}\"]\n{}\n",
                upstream.name,
                upstream.lines.join("\n")
            );
        }
        text
    }
}
