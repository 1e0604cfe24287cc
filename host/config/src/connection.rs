//! How an upstream is connected to: authorities, client certificate, proxy.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::entries::{one_or_more, path, scalar};
use crate::environment::Surroundings;
use crate::error::{Fault, Place, Problem};
use crate::file::{Key, Section};
use crate::name::Endpoint;
use crate::provenance::{Provenance, Sourced};
use crate::value::Value;

/// Who is on this machine needs no proxy, as Go's programs have it: a proxy of the environment is for what is far.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// How an upstream is connected to. That files and URLs can be used is found out by who uses them.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// Files of authorities (PEM) to believe besides the usual ones.
    pub ca_file: Option<Sourced<Vec<PathBuf>>>,
    /// The client certificate that is shown.
    pub identity: Option<Identity>,
    /// Whom to go through.
    pub proxy: Option<Proxy>,
}

/// A client certificate.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The file of the certificate (PEM), perhaps with what leads to its authority.
    pub certificate: Sourced<PathBuf>,
    /// The file of its private key (PEM).
    pub key: Sourced<PathBuf>,
}

/// A proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Where it is.
    pub url: Sourced<ProxyUrl>,
    /// Whom to reach without it, as in `NO_PROXY`.
    pub exempt: Option<Sourced<String>>,
}

/// The URL of a proxy, perhaps with a password, which does not print.
#[derive(Clone)]
pub struct ProxyUrl(SecretString);

impl ProxyUrl {
    fn parse(text: &str) -> Result<Self, Fault> {
        Ok(Self(text.into()))
    }

    /// With the password.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

/// Without user and password.
impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((before, host)) = self.expose().rsplit_once('@') else {
            return f.write_str(self.expose());
        };
        match before.split_once("://") {
            Some((scheme, _)) => write!(f, "{scheme}://***@{host}"),
            None => write!(f, "***@{host}"),
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

/// The proxies of the environment.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    http: Option<Sourced<ProxyUrl>>,
    https: Option<Sourced<ProxyUrl>>,
    exempt: Option<Sourced<String>>,
}

impl Proxies {
    /// The names in capitals outweigh the others, as with Go's programs.
    pub(crate) fn of(surroundings: &Surroundings, problems: &mut Vec<Problem>) -> Self {
        let mut first = |names: [&'static str; 2]| {
            names
                .into_iter()
                .find_map(|name| variable(surroundings, name, problems))
        };
        let url =
            |text: Sourced<String>| Sourced::new(ProxyUrl(text.value.into()), text.provenance);
        Self {
            http: first(["HTTP_PROXY", "http_proxy"]).map(url),
            https: first(["HTTPS_PROXY", "https_proxy"]).map(url),
            exempt: first(["NO_PROXY", "no_proxy"]),
        }
    }

    /// The one for an upstream: if one of its endpoints has TLS, that for TLS.
    fn for_endpoints(&self, endpoints: &[Endpoint]) -> Option<Proxy> {
        let secure = endpoints.iter().any(|one| one.url().scheme() == "https");
        let url = if secure { &self.https } else { &self.http };
        let (listed, provenance) = match &self.exempt {
            Some(exempt) => (format!("{},", exempt.value), exempt.provenance.clone()),
            None => (String::new(), Provenance::Default),
        };
        Some(Proxy {
            url: url.clone()?,
            exempt: Some(Sourced::new(format!("{listed}{LOOPBACK}"), provenance)),
        })
    }
}

fn variable(
    surroundings: &Surroundings,
    name: &'static str,
    problems: &mut Vec<Problem>,
) -> Option<Sourced<String>> {
    let provenance = Provenance::Environment(name);
    match surroundings.text(name)? {
        Ok(text) => Some(Sourced::new(text.to_owned(), provenance)),
        Err(fault) => {
            problems.push(Problem {
                place: Place::Value(provenance),
                setting: None,
                fault,
            });
            None
        }
    }
}

/// What a section says of it.
#[derive(Default)]
pub(crate) struct GivenConnection {
    ca_file: Option<Sourced<Vec<PathBuf>>>,
    identity: Option<Identity>,
    proxy: Option<Sourced<ProxyUrl>>,
    exempt: Option<Sourced<String>>,
}

impl GivenConnection {
    pub(crate) fn read(head: &Key, section: &mut Section<'_>, problems: &mut Vec<Problem>) -> Self {
        let file = <PathBuf as Value>::parse;
        Self {
            ca_file: one_or_more(section.take("ca_file"), file, problems),
            identity: identity(head, section, problems),
            proxy: scalar(section.take("proxy"), ProxyUrl::parse, problems),
            exempt: scalar(
                section.take("no_proxy"),
                |text| Ok(text.to_owned()),
                problems,
            ),
        }
    }

    /// With the environment's proxy where nothing is said.
    pub(crate) fn filled(self, endpoints: &[Endpoint], environment: &Proxies) -> Connection {
        let proxy = match self.proxy {
            // It says that there is to be none.
            Some(url) if url.is_empty() => None,
            Some(url) => Some(Proxy {
                url,
                exempt: self.exempt,
            }),
            None => environment.for_endpoints(endpoints).map(|proxy| Proxy {
                exempt: self.exempt.or(proxy.exempt),
                ..proxy
            }),
        };
        Connection {
            ca_file: self.ca_file,
            identity: self.identity,
            proxy,
        }
    }
}

/// `client_certificate` and `client_key`: both or neither.
fn identity(
    head: &Key,
    section: &mut Section<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Identity> {
    const CERTIFICATE: &str = "client_certificate";
    const KEY: &str = "client_key";
    let (certificate, key) = (section.take(CERTIFICATE), section.take(KEY));
    let half = match (&certificate, &key) {
        (Some(_), None) => Some((CERTIFICATE, KEY)),
        (None, Some(_)) => Some((KEY, CERTIFICATE)),
        _ => None,
    };
    if let Some((given, missing)) = half {
        problems.push(head.problem(Fault::HalfIdentity { given, missing }));
    }
    let (certificate, key) = (path(certificate, problems), path(key, problems));
    Some(Identity {
        certificate: certificate?,
        key: key?,
    })
}
