//! Records that several nodes share: from the configuration to a server.

use std::sync::Arc;

use anyhow::Result;
use ledge_config::{Fault, Place, Problem, Problems, Provenance, SharedRecords};
use ledge_credentials::{Account, Credentials, Process, Secret};
use ledge_store::{Records, RedbFile, local};
use ledge_valkey::{Address, Options, Server, shared};

use crate::{connections, credentials};

/// The name under which the password is looked for.
const ACCOUNT: &str = "shared.records";

/// How the configured server is reached. Reads every file that is named for it.
///
/// # Errors
/// What cannot be used, with the setting that names it.
pub(crate) async fn options(given: &SharedRecords) -> Result<Options> {
    let nodes: Result<Vec<Address>, _> = given.url.iter().map(|url| url.parse()).collect();
    let nodes = nodes.map_err(|error: ledge_valkey::AddressError| {
        problem("url", &given.url.provenance, error.to_string())
    })?;
    let authorities = match &given.ca_file {
        Some(file) => {
            let read = connections::read(file);
            Some(read.map_err(|what| problem("ca_file", &file.provenance, what))?)
        }
        None => None,
    };
    let password = match &given.password {
        Some(password) => {
            let username = given.username.as_ref();
            let username = username.map_or("default", |name| name.as_str());
            let account = Account {
                upstream: ACCOUNT.to_owned(),
                servers: Vec::new(),
                provider: credentials::password(username, password),
            };
            let found = Credentials::new(vec![account], Process).get(ACCOUNT).await;
            let (key, provenance) = credentials::place_of_password(password);
            match found.map_err(|error| problem(key, provenance, error.to_string()))? {
                Some(Secret::Password { password, .. }) => Some(password),
                _ => None,
            }
        }
        None => None,
    };
    Ok(Options {
        nodes,
        username: given.username.as_ref().map(|name| name.value.clone()),
        password,
        authorities,
        prefix: given.prefix.value.clone(),
    })
}

fn problem(key: &str, provenance: &Provenance, what: String) -> Problems {
    Problems(vec![Problem {
        place: Place::Value(provenance.clone()),
        setting: Some(format!("{ACCOUNT}.{key}")),
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
    ///
    /// # Errors
    /// What is wrong with how the server is to be reached.
    pub(crate) async fn connect(file: RedbFile, server: Option<Options>) -> Result<Self> {
        let server = match server {
            Some(options) => Some(Server::connect(options).await?),
            None => None,
        };
        Ok(Self { file, server })
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
