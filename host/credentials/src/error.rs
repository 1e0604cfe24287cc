//! Why there are no credentials. Nothing here holds what was read, for that is the secret.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::docker::EntryFault;
use crate::file::FileFault;
use crate::helper::{HelperFault, HelperNameError};
use crate::secret::Unusable;

/// A provider did not say what the credentials are. All who wait get a copy.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialError {
    /// What the configuration says cannot be sent.
    #[error("the configured credentials cannot be sent: {0}")]
    Inline(Unusable),
    /// The variable is not set.
    #[error("the environment variable {name} is not set, or is empty")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// What the variable says cannot be sent.
    #[error("the environment variable {name} cannot be sent: {why}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong.
        why: Unusable,
    },
    /// A file cannot be read.
    #[error("cannot read credentials from {}: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: FileFault,
    },
    /// What the file says cannot be sent.
    #[error("the credentials in {} cannot be sent: {why}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: Unusable,
    },
    /// There is neither `DOCKER_CONFIG` nor `HOME`.
    #[error(
        "neither DOCKER_CONFIG nor HOME is set, so there is no Docker configuration: name its path"
    )]
    NoHome,
    /// The file is no Docker configuration.
    #[error("{} is not a Docker configuration: its JSON is wrong at {at}", path.display())]
    DockerConfig {
        /// Which file.
        path: PathBuf,
        /// Where it stops being one.
        at: Position,
    },
    /// An entry of `auths` cannot be used.
    #[error("{}: the entry of auths for {key:?} cannot be used: {why}", path.display())]
    DockerEntry {
        /// Which file.
        path: PathBuf,
        /// The entry's key.
        key: String,
        /// What is wrong.
        why: EntryFault,
    },
    /// `credHelpers` or `credsStore` names what cannot be a helper.
    #[error("{}: {why}", path.display())]
    DockerHelper {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: HelperNameError,
    },
    /// A helper failed.
    #[error("docker-credential-{name}: {why}")]
    Helper {
        /// Its name, without the `docker-credential-`.
        name: String,
        /// What happened.
        why: HelperFault,
    },
    /// The process is about to end.
    #[error("the look-up of credentials was stopped")]
    Stopped,
}

impl CredentialError {
    /// How long the provider is left alone after it.
    pub(crate) fn pause(&self) -> Duration {
        match self {
            Self::Helper { .. } => crate::cache::HELPER_PAUSE,
            _ => crate::cache::FILE_PAUSE,
        }
    }
}

/// A place in a text. It takes the place of the JSON reader's own message, which repeats what it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1; 0 is the end of an empty text.
    pub line: usize,
    /// The column in bytes, from 1; 0 is the end of the line before.
    pub column: usize,
}

impl From<&serde_json::Error> for Position {
    fn from(error: &serde_json::Error) -> Self {
        Self {
            line: error.line(),
            column: error.column(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}
