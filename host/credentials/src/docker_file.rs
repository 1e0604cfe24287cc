//! A look-up in Docker's configuration.

use std::path::PathBuf;

use crate::cache::{Found, Pace};
use crate::docker::{DockerConfig, Step};
use crate::error::CredentialError;
use crate::file::{Content, Version};
use crate::lookup::{Helpers, Looked, look, read};
use crate::secret::Secret;
use crate::server::Server;

/// The longest file: Kubernetes's bound on a secret.
const BYTES: u64 = 1024 * 1024;

/// A file of Docker's format, and what is looked for there.
#[derive(Debug)]
pub(crate) struct DockerFile {
    pub(crate) path: PathBuf,
    /// Whether that is no error, but says that there are no credentials.
    pub(crate) may_be_absent: bool,
    pub(crate) servers: Vec<Server>,
    pub(crate) helpers: Helpers,
}

impl DockerFile {
    /// Which content the file has now.
    pub(crate) async fn version(&self) -> Result<Version, CredentialError> {
        self.or_absent(look(&self.path).await)
            .map(|version| version.unwrap_or(Version::Absent))
    }

    /// Reads the file, and asks the helper that it names.
    pub(crate) async fn ask(&self) -> Result<Looked, CredentialError> {
        let Some(content) = self.or_absent(read(&self.path, BYTES).await)? else {
            return Ok(Looked {
                found: Found {
                    secret: None,
                    version: Version::Absent,
                    pace: Pace::FILE,
                },
                open_to: 0,
            });
        };
        let (secret, pace) = self.search(&content).await?;
        Ok(Looked {
            found: Found {
                secret,
                version: content.version,
                pace,
            },
            open_to: content.open_to,
        })
    }

    /// None for a file that need not be there.
    fn or_absent<T>(
        &self,
        result: Result<T, CredentialError>,
    ) -> Result<Option<T>, CredentialError> {
        match result {
            Err(CredentialError::File { why, .. }) if self.may_be_absent && why.is_absent() => {
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    async fn search(&self, content: &Content) -> Result<(Option<Secret>, Pace), CredentialError> {
        let config = DockerConfig::parse(&content.bytes).map_err(|at| {
            let path = self.path.clone();
            CredentialError::DockerConfig { path, at }
        })?;
        let mut pace = Pace::FILE;
        for step in config.steps(&self.servers) {
            if matches!(step, Step::Helper { .. }) {
                pace = Pace::HELPER_OF_FILE;
            }
            if let Some(secret) = self.take(step).await? {
                return Ok((Some(secret), pace));
            }
        }
        Ok((None, pace))
    }

    /// What a place has.
    async fn take(&self, step: Step<'_>) -> Result<Option<Secret>, CredentialError> {
        let path = || self.path.clone();
        match step {
            Step::Helper { name, server } => {
                let name =
                    name.map_err(|why| CredentialError::DockerHelper { path: path(), why })?;
                self.helpers.ask(&name, server).await
            }
            Step::Entry { key, entry } => {
                entry.secret().map_err(|why| CredentialError::DockerEntry {
                    path: path(),
                    key: key.to_owned(),
                    why,
                })
            }
        }
    }
}
