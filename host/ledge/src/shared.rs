//! What several nodes share: from the configuration to servers and buckets.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use ledge_bucket::Bucket;
use ledge_config::{
    Config, Fault, Place, Problem, Problems, Provenance, SharedObjects, SharedRecords, Sourced,
    Text,
};
use ledge_credentials::{Account, Credentials, Process, Secret};
use ledge_fleet::Fleet;
use ledge_store::{BlobStore, Records, RedbFile, local};
use ledge_valkey::{Address, Options, Server, shared};
use secrecy::SecretString;
use url::Url;

use crate::{connections, credentials};

/// The names under which passwords are looked for: their sections.
const RECORDS: &str = "shared.records";
const OBJECTS: &str = "shared.objects";

/// What this node shares with others, checked, and not asked yet.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    records: Option<Options>,
    bucket: Option<Bucket>,
    advertise: Option<Url>,
}

impl Sharing {
    /// Reads every file that is named for it.
    ///
    /// # Errors
    /// What cannot be used, with the setting that names it.
    pub(crate) async fn check(config: &Config) -> Result<Self> {
        let given = &config.shared;
        Ok(Self {
            bucket: match &given.objects {
                Some(objects) => Some(bucket(objects).await?),
                None => None,
            },
            advertise: given.advertise.as_ref().map(|url| url.url().clone()),
            ..Self::of_records(config).await?
        })
    }

    /// The same of records alone.
    ///
    /// # Errors
    /// As `check`.
    pub(crate) async fn of_records(config: &Config) -> Result<Self> {
        Ok(Self {
            records: match &config.shared.records {
                Some(given) => Some(records(given).await?),
                None => None,
            },
            ..Self::default()
        })
    }

    /// The server of shared records, if there is one.
    ///
    /// # Errors
    /// If it cannot be used.
    pub(crate) async fn connect(&self) -> Result<Option<Server>> {
        Ok(match self.records.clone() {
            Some(options) => Some(Server::connect(options).await?),
            None => None,
        })
    }

    /// The other nodes, if there is anything to share with them. This one listens at `address`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn fleet(
        self,
        server: Option<&Server>,
        address: SocketAddr,
        store: &BlobStore,
    ) -> Result<Option<Fleet>> {
        let here = self.advertise.or_else(|| reachable(address));
        let leases = server.map(Server::leases).zip(here);
        if self.bucket.is_none() && leases.is_none() {
            return Ok(None);
        }
        if let Some((_, here)) = &leases {
            tracing::info!("transfers are shared, other nodes find this one at {here}");
        }
        let options = ledge_fleet::Options {
            bucket: self.bucket,
            leases,
        };
        let fleet = Fleet::new(options, store);
        fleet.map(Some).context("cannot speak with other nodes")
    }
}

/// Where others find this node, if it listens at an address that is not every one, and not its own alone.
fn reachable(address: SocketAddr) -> Option<Url> {
    let ip = address.ip();
    if ip.is_unspecified() || ip.is_loopback() {
        return None;
    }
    Url::parse(&format!("http://{address}")).ok()
}

async fn records(given: &SharedRecords) -> Result<Options> {
    let nodes: Result<Vec<Address>, _> = given.url.iter().map(|url| url.parse()).collect();
    let nodes = nodes.map_err(|error: ledge_valkey::AddressError| {
        problem(RECORDS, "url", &given.url.provenance, error.to_string())
    })?;
    let username = given.username.as_ref().map(|name| name.value.clone());
    Ok(Options {
        nodes,
        password: password(RECORDS, username.as_deref(), given.password.as_ref()).await?,
        username,
        authorities: authorities(RECORDS, given.ca_file.as_ref())?,
        prefix: given.prefix.value.clone(),
    })
}

async fn bucket(given: &SharedObjects) -> Result<Bucket> {
    let account = given.username.as_ref().map(|name| name.value.clone());
    let options = ledge_bucket::Options {
        url: given.url.value.clone(),
        endpoint: given.endpoint.as_ref().map(|url| url.value.to_string()),
        region: given.region.as_ref().map(|region| region.value.clone()),
        secret: bucket_secret(given).await?,
        account,
        authorities: authorities(OBJECTS, given.ca_file.as_ref())?,
    };
    let opened = Bucket::open(&options);
    let refused = |error: ledge_bucket::OpenError| {
        problem(OBJECTS, "url", &given.url.provenance, error.to_string())
    };
    Ok(opened.map_err(refused)?)
}

/// What the bucket is opened with, if that is said.
///
/// # Errors
/// If it is not to be had from where it is said to be.
pub(crate) async fn bucket_secret(given: &SharedObjects) -> Result<Option<SecretString>> {
    let account = given.username.as_ref().map(|name| name.value.as_str());
    Ok(password(OBJECTS, account, given.password.as_ref()).await?)
}

async fn password(
    section: &str,
    username: Option<&str>,
    given: Option<&Text>,
) -> Result<Option<SecretString>, Problems> {
    let Some(given) = given else {
        return Ok(None);
    };
    let account = Account {
        upstream: section.to_owned(),
        servers: Vec::new(),
        provider: credentials::password(username.unwrap_or("default"), given),
    };
    let found = Credentials::new(vec![account], Process).get(section).await;
    let (key, provenance) = credentials::place_of_password(given);
    match found.map_err(|error| problem(section, key, provenance, error.to_string()))? {
        Some(Secret::Password { password, .. }) => Ok(Some(password)),
        _ => Ok(None),
    }
}

fn authorities(
    section: &str,
    file: Option<&Sourced<PathBuf>>,
) -> Result<Option<Vec<u8>>, Problems> {
    let read = |file: &Sourced<PathBuf>| {
        let read = connections::read(file);
        read.map_err(|what| problem(section, "ca_file", &file.provenance, what))
    };
    file.map(read).transpose()
}

fn problem(section: &str, key: &str, provenance: &Provenance, what: String) -> Problems {
    Problems(vec![Problem {
        place: Place::Value(provenance.clone()),
        setting: Some(format!("{section}.{key}")),
        fault: Fault::Unusable(what),
    }])
}

/// The only label of which keys are listed; it has few.
const CATALOG: &str = "catalog";

/// What a component opens as `default` and `catalog`: beside this node, or shared with others.
#[derive(Clone)]
pub(crate) struct Labels {
    file: RedbFile,
    server: Option<Server>,
}

impl Labels {
    /// Labels of this file, or of a server too.
    pub(crate) const fn new(file: RedbFile, server: Option<Server>) -> Self {
        Self { file, server }
    }

    /// The records of one label.
    pub(crate) fn open(&self, label: &str) -> Arc<dyn Records> {
        let copy = self.file.label(label);
        match &self.server {
            None => local(copy),
            Some(server) if label == CATALOG => shared(server.label(label).listed(), copy),
            Some(server) => shared(server.label(label), copy),
        }
    }
}
