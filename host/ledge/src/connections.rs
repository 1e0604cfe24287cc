//! How upstreams are connected to: the configuration's files and URLs, read and checked, as the room of origins
//! takes them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ledge_config::{Config, Fault, Place, Problem, Problems, Provenance, Sourced, Upstream};
use ledge_origin::{
    CertificateDer, Connection, EgressRules, Identity, Pem, Proxy, UpstreamEgress, authorities,
};

/// The longest PEM file. A system's whole bundle of authorities has a quarter of that.
const PEM_BYTES: u64 = 1024 * 1024;

/// Where requests may go, and how.
///
/// # Errors
/// Every file that cannot be used, and every proxy, each with the setting that names it.
pub(crate) fn egress(config: &Config) -> Result<EgressRules, Problems> {
    let mut problems = Vec::new();
    let connections: Vec<Connection> = config
        .upstreams
        .iter()
        .map(|upstream| connection(upstream, &mut problems))
        .collect();
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let upstreams = config.egress().into_iter().map(|upstream| UpstreamEgress {
        name: upstream.name,
        endpoints: upstream.endpoints,
        trusted_hosts: upstream.trusted_hosts,
    });
    Ok(EgressRules::with_connections(
        upstreams.zip(connections).collect(),
    ))
}

fn connection(upstream: &Upstream, problems: &mut Vec<Problem>) -> Connection {
    let given = &upstream.connection;
    let mut told = |key: &str, provenance: &Provenance, what: String| {
        problems.push(problem(upstream, key, provenance, what));
    };
    let mut extra_roots = Vec::new();
    if let Some(files) = &given.ca_file {
        for file in files.iter() {
            match roots(file) {
                Ok(roots) => extra_roots.extend(roots),
                Err(what) => told("ca_file", &files.provenance, what),
            }
        }
    }
    let pair = given.identity.as_ref();
    let identity = pair.and_then(|pair| match identity(pair) {
        Ok(identity) => Some(identity),
        Err((key, provenance, what)) => {
            told(key, provenance, what);
            None
        }
    });
    let proxy = given.proxy.as_ref().and_then(|proxy| {
        let exempt = proxy.exempt.as_ref().map_or("", |list| list.as_str());
        match Proxy::parse(proxy.url.expose(), exempt) {
            Ok(proxy) => Some(proxy),
            Err(error) => {
                told("proxy", &proxy.url.provenance, error.to_string());
                None
            }
        }
    });
    Connection {
        extra_roots,
        identity,
        proxy,
    }
}

/// A problem with a setting of an upstream.
pub(crate) fn problem(
    upstream: &Upstream,
    key: &str,
    provenance: &Provenance,
    what: String,
) -> Problem {
    Problem {
        place: Place::Value(provenance.clone()),
        setting: Some(format!("upstreams.\"{}\".{key}", upstream.name)),
        fault: Fault::Unusable(what),
    }
}

fn roots(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(file)?;
    let name = file.display().to_string();
    let pem = Pem {
        file: &name,
        bytes: &bytes,
    };
    authorities(pem).map_err(|error| error.to_string())
}

/// What is wrong, and with which setting.
type Wrong<'a> = (&'static str, &'a Provenance, String);

fn identity(pair: &ledge_config::Identity) -> Result<Identity, Wrong<'_>> {
    let open =
        |key: &'static str, file: &'_ Sourced<PathBuf>| read(file).map_err(|what| (key, what));
    let of_certificate = |(key, what)| (key, &pair.certificate.provenance, what);
    let certificate = open("client_certificate", &pair.certificate).map_err(of_certificate)?;
    let key = open("client_key", &pair.key);
    let key = key.map_err(|(key, what)| (key, &pair.key.provenance, what))?;
    let names = [&pair.certificate, &pair.key].map(|file| file.display().to_string());
    let pem = |file, bytes| Pem { file, bytes };
    let made = Identity::from_pem(pem(&names[0], &certificate), pem(&names[1], &key));
    made.map_err(|error| of_certificate(("client_certificate", error.to_string())))
}

/// A file of certificates or keys, as it is.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", file.display());
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(cannot)?;
    let read = opened.take(PEM_BYTES + 1).read_to_end(&mut bytes);
    let length = read.map_err(cannot)? as u64;
    if length > PEM_BYTES {
        return Err(format!(
            "{} is longer than {PEM_BYTES} bytes: name a file of certificates alone",
            file.display()
        ));
    }
    Ok(bytes)
}
