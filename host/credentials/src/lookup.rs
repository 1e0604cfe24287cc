//! How a provider that may change is asked.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::blocking::blocking;
use crate::cache::{Found, Pace};
use crate::docker_file::DockerFile;
use crate::error::CredentialError;
use crate::file::{self, Content, Version};
use crate::helper::{self, HelperFault, HelperName};
use crate::program::{self, Search};
use crate::secret::{Form, Secret, Unusable};
use crate::server::Server;

/// The longest file with one password or token: as much as a helper may say.
const SECRET_BYTES: u64 = 64 * 1024;

/// A provider that has to be asked again and again.
#[derive(Debug)]
pub(crate) enum Lookup {
    File {
        form: Form,
        path: PathBuf,
    },
    Docker(DockerFile),
    Helper {
        name: HelperName,
        servers: Vec<Server>,
        helpers: Helpers,
    },
}

/// What a look-up brought.
pub(crate) struct Looked {
    pub(crate) found: Found,
    /// Permission bits that others than the owner have on the file that was read.
    pub(crate) open_to: u32,
}

impl Lookup {
    /// The file that it reads.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } | Self::Docker(DockerFile { path, .. }) => Some(path),
            Self::Helper { .. } => None,
        }
    }

    /// Which content its file has now.
    pub(crate) async fn version(&self) -> Result<Version, CredentialError> {
        match self {
            Self::File { path, .. } => look(path).await,
            Self::Docker(file) => file.version().await,
            Self::Helper { .. } => Ok(Version::None),
        }
    }

    /// Asks.
    pub(crate) async fn ask(&self) -> Result<Looked, CredentialError> {
        match self {
            Self::File { form, path } => single(form, path).await,
            Self::Docker(file) => file.ask().await,
            Self::Helper {
                name,
                servers,
                helpers,
            } => Ok(Looked {
                found: Found {
                    secret: helpers.first(name, servers).await?,
                    version: Version::None,
                    pace: Pace::HELPER,
                },
                open_to: 0,
            }),
        }
    }
}

pub(crate) async fn look(path: &Path) -> Result<Version, CredentialError> {
    let path = path.to_owned();
    blocking(move || file::look(&path).map_err(|why| CredentialError::File { path, why })).await
}

pub(crate) async fn read(path: &Path, limit: u64) -> Result<Content, CredentialError> {
    let path = path.to_owned();
    blocking(move || file::read(&path, limit).map_err(|why| CredentialError::File { path, why }))
        .await
}

/// A file with one secret.
async fn single(form: &Form, path: &Path) -> Result<Looked, CredentialError> {
    let content = read(path, SECRET_BYTES).await?;
    let bytes = content.bytes.strip_suffix(b"\n").unwrap_or(&content.bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let secret = std::str::from_utf8(bytes)
        .map_err(|_| Unusable::NotUtf8)
        .and_then(|text| form.secret(text.into()))
        .map_err(|why| {
            let path = path.to_owned();
            CredentialError::Content { path, why }
        })?;
    let found = Found {
        secret: Some(secret),
        version: content.version,
        pace: Pace::FILE,
    };
    Ok(Looked {
        found,
        open_to: content.open_to,
    })
}

/// The helpers of this machine.
#[derive(Debug)]
pub(crate) struct Helpers {
    /// `PATH`.
    pub(crate) path: OsString,
}

impl Helpers {
    /// What a helper has for the first server for which it has something.
    async fn first(
        &self,
        name: &HelperName,
        servers: &[Server],
    ) -> Result<Option<Secret>, CredentialError> {
        for server in servers {
            let secret = self.ask(name, server.key()).await?;
            if secret.is_some() {
                return Ok(secret);
            }
        }
        Ok(None)
    }

    /// What a helper has for this key.
    pub(crate) async fn ask(
        &self,
        name: &HelperName,
        server: &str,
    ) -> Result<Option<Secret>, CredentialError> {
        let failed = |why| CredentialError::Helper {
            name: name.to_string(),
            why,
        };
        let (wanted, path) = (name.program(), self.path.clone());
        match blocking(move || Ok(program::find(&wanted, &path))).await? {
            Search::Found(program) => helper::ask(&program, server).await.map_err(failed),
            Search::NotExecutable(path) => Err(failed(HelperFault::NotExecutable(path))),
            Search::Nothing => Err(failed(HelperFault::NotFound)),
        }
    }
}
