//! What opens the store. Each is a variable of its own, so that a platform keeps it as a secret.

use secrecy::SecretString;

/// The variable of an access key's id, or of a user's name.
pub(crate) const KEY: &str = "ledge_blobs_key";
/// The variable of the access key, of a password, or of a bearer token.
pub(crate) const SECRET: &str = "ledge_blobs_secret";
/// The variable of the session token that goes with a temporary access key.
pub(crate) const TOKEN: &str = "ledge_blobs_token";

/// What the variables say. `Debug` shows nothing of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    /// An access key's id, or a user's name.
    pub(crate) key: Option<SecretString>,
    /// The access key, a password, or a bearer token.
    pub(crate) secret: Option<SecretString>,
    /// A session token.
    pub(crate) token: Option<SecretString>,
}
