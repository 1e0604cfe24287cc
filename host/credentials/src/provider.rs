//! From where an upstream's credentials come.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::docker_file::DockerFile;
use crate::error::CredentialError;
use crate::helper::HelperName;
use crate::lookup::{Helpers, Lookup};
use crate::secret::{Form, Secret, Unusable};
use crate::server::Server;
use crate::surroundings::Surroundings;

/// An upstream that has credentials.
#[derive(Clone, Debug)]
pub struct Account {
    /// What it is asked for by.
    pub upstream: String,
    /// Under which names Docker's configuration or a helper may know it: `host[:port]` or a URL, the likeliest
    /// first. `docker.io` is enough for Docker Hub.
    pub servers: Vec<String>,
    /// Where they come from.
    pub provider: Provider,
}

/// Where credentials come from.
#[derive(Clone, Debug)]
pub enum Provider {
    /// The configuration itself.
    Inline {
        /// What the text is.
        form: Form,
        /// The text.
        secret: SecretString,
    },
    /// A file of at most 64 KiB that holds nothing else. One newline at its end is left out.
    File {
        /// What its text is.
        form: Form,
        /// Where it is.
        path: PathBuf,
    },
    /// An environment variable.
    Environment {
        /// What its text is.
        form: Form,
        /// Its name.
        variable: String,
    },
    /// Docker's `config.json`, or a file of its format, of at most 1 MiB.
    DockerConfig {
        /// Without: `config.json` in `DOCKER_CONFIG`, or else in `~/.docker`, and if it is not there, that is no error.
        path: Option<PathBuf>,
    },
    /// A program that follows the protocol of Docker's credential helpers.
    Helper {
        /// Its name.
        name: HelperName,
    },
}

/// What a provider comes to in this process.
pub(crate) enum Resolved {
    /// It says this, whenever it is asked.
    Fixed(Result<Secret, CredentialError>),
    Asked(Lookup),
}

impl Provider {
    /// Reads what cannot change while the process runs.
    pub(crate) fn resolve(self, servers: &[String], process: &dyn Surroundings) -> Resolved {
        let servers = servers.iter().map(|name| Server::new(name)).collect();
        let helpers = Helpers {
            path: process.variable("PATH").unwrap_or_default(),
        };
        match self {
            Self::Inline { form, secret } => {
                Resolved::Fixed(form.secret(secret).map_err(CredentialError::Inline))
            }
            Self::Environment { form, variable } => {
                Resolved::Fixed(from_variable(&form, variable, process))
            }
            Self::File { form, path } => Resolved::Asked(Lookup::File { form, path }),
            Self::DockerConfig { path } => {
                let may_be_absent = path.is_none();
                let Some(path) = path.or_else(|| docker_config(process)) else {
                    return Resolved::Fixed(Err(CredentialError::NoHome));
                };
                Resolved::Asked(Lookup::Docker(DockerFile {
                    path,
                    may_be_absent,
                    servers,
                    helpers,
                }))
            }
            Self::Helper { name } => Resolved::Asked(Lookup::Helper {
                name,
                servers,
                helpers,
            }),
        }
    }
}

fn from_variable(
    form: &Form,
    name: String,
    process: &dyn Surroundings,
) -> Result<Secret, CredentialError> {
    let value = match process.variable(&name) {
        Some(value) if !value.is_empty() => value.into_string(),
        _ => return Err(CredentialError::NoVariable { name }),
    };
    value
        .map_err(|_| Unusable::NotUtf8)
        .and_then(|text| form.secret(text.into()))
        .map_err(|why| CredentialError::Variable { name, why })
}

/// Where Docker has its configuration.
fn docker_config(process: &dyn Surroundings) -> Option<PathBuf> {
    let set = |name| process.variable(name).filter(|value| !value.is_empty());
    let folder = match set("DOCKER_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(set("HOME")?).join(".docker"),
    };
    Some(folder.join("config.json"))
}
