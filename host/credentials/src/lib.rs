//! Which user name and password, or token, an upstream has right now.
//!
//! [`Credentials`] is told once where each upstream's come from (a [`Provider`]),
//! and asked whenever a request needs them. Nothing has to be restarted when they
//! change:
//!
//! | provider | asked again |
//! |---|---|
//! | in the configuration, or from a variable | never: they last as long as the process |
//! | a file | when the file changed, which is looked at when they are needed, at most once a second |
//! | Docker's `config.json` | like a file; what it says of a helper, like a helper |
//! | a helper, `docker-credential-NAME` | after five minutes |
//!
//! Whoever is answered 401 says so with [`Credentials::refused`]; then a provider is
//! asked at once, unless that was done a moment ago. When a provider fails, what it
//! said last serves until an origin refuses it.
//!
//! Secrets are in memory as [`secrecy::SecretString`]. They are in no error, no log
//! line and no `Debug`.

mod blocking;
mod cache;
mod credentials;
mod docker;
mod docker_file;
mod error;
mod file;
mod helper;
mod lookup;
mod program;
mod provider;
mod secret;
mod server;
mod surroundings;

pub use credentials::Credentials;
pub use docker::EntryFault;
pub use error::{CredentialError, Position};
pub use file::FileFault;
pub use helper::{HelperFault, HelperName, HelperNameError};
pub use provider::{Account, Provider};
pub use secret::{Form, Secret, Unusable};
pub use surroundings::{Process, Surroundings};
