//! What an upstream is shown so that it lets this mirror in, and how that crosses
//! the border.
//!
//! Credentials change while an instance lives, so its configuration only names the
//! variable that has them ([`Credentials::Variable`]). That variable is read when an
//! origin is asked, and says what counts then, as the JSON of a [`Secret`]; it is empty
//! if there is nothing for this upstream now, which stays private all the same. A read
//! that fails means that the upstream cannot be asked now.
//!
//! A variable beside it, called [`fresh`], has the same value. To read it says that an
//! origin has refused what the first one says, so whoever keeps an answer of a credential
//! helper asks it again. A host whose variables are not kept by anybody gives both the
//! same value.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How the component comes to an upstream's credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credentials {
    /// It is told.
    Inline(Secret),
    /// It reads the variable of this name whenever it asks the origin.
    Variable(String),
}

/// The variable of the upstream with this number.
#[must_use]
pub fn variable(number: usize) -> String {
    format!("ledge_credentials_{number}")
}

/// The variable that is read after an origin refused what `variable` says.
#[must_use]
pub fn fresh(variable: &str) -> String {
    format!("{variable}_fresh")
}

/// What requests are authenticated with. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Secret {
    /// For Basic (RFC 7617), with the registry or its token service.
    Password {
        /// The user's name.
        username: String,
        /// The password, or a personal access token.
        password: String,
    },
    /// An OAuth 2.0 refresh token (RFC 6749, section 6): the token service gives an
    /// access token for it.
    IdentityToken {
        /// The token.
        identity_token: String,
    },
    /// A Bearer token (RFC 6750) that the registry takes as it is.
    RegistryToken {
        /// The token.
        registry_token: String,
    },
}

/// A variable's value is neither empty nor the JSON of a [`Secret`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is neither empty nor JSON with a password or a token")]
pub struct SecretError;

impl Secret {
    /// The value of a variable.
    #[must_use]
    pub fn encode(secret: Option<&Self>) -> String {
        // Texts alone are always JSON.
        secret
            .and_then(|secret| serde_json::to_string(secret).ok())
            .unwrap_or_default()
    }

    /// Reads the value of a variable; none if it is empty.
    ///
    /// # Errors
    /// It is something else. What that is, is not said: it may be the secret.
    pub fn decode(value: &str) -> Result<Option<Self>, SecretError> {
        if value.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(value)
            .map(Some)
            .map_err(|_| SecretError)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// A name for whoever asks with this, so that what one secret opened is not another's.
/// It is of 64 bits and could be guessed at, so it is only kept where tokens are.
pub(crate) fn fingerprint(secret: Option<&Secret>) -> String {
    let Some(secret) = secret else {
        return "anonymous".to_owned();
    };
    // Not `RandomState`: all instances have to agree, and the component imports no randomness.
    let mut hasher = DefaultHasher::new();
    secret.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    pub(crate) fn password(username: &str, password: &str) -> Secret {
        Secret::Password {
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }

    pub(crate) fn identity(token: &str) -> Secret {
        Secret::IdentityToken {
            identity_token: token.to_owned(),
        }
    }

    fn registry(token: &str) -> Secret {
        Secret::RegistryToken {
            registry_token: token.to_owned(),
        }
    }

    #[test]
    fn values_are_as_documented() {
        let rows = [
            (None, ""),
            (
                Some(password("me", "hunter\"2")),
                r#"{"username":"me","password":"hunter\"2"}"#,
            ),
            (Some(identity("abc")), r#"{"identity_token":"abc"}"#),
            (Some(registry("abc")), r#"{"registry_token":"abc"}"#),
        ];
        for (secret, value) in rows {
            assert_eq!(Secret::encode(secret.as_ref()), value);
            assert_eq!(Secret::decode(value), Ok(secret), "{value}");
        }
        for value in [
            " ",
            "hunter2",
            "{}",
            "null",
            "[]",
            r#"{"username":"me"}"#,
            r#"{"username":"me","password":5}"#,
            r#"{"username":"me","password":"a","identity_token":"b"}"#,
            r#"{"identity_token":"a","registry_token":"b"}"#,
        ] {
            assert_eq!(Secret::decode(value), Err(SecretError), "{value}");
        }
    }

    #[test]
    fn nothing_prints() {
        for secret in [password("me", "hunter2"), identity("x"), registry("x")] {
            assert_eq!(format!("{secret:?}"), "Secret(***)");
        }
        let inline = Credentials::Inline(identity("hunter2"));
        assert_eq!(format!("{inline:?}"), "Inline(Secret(***))");
    }

    #[test]
    fn fingerprints_tell_apart_and_tell_nothing() {
        let all = [
            None,
            Some(password("me", "a")),
            Some(password("me", "b")),
            Some(password("mea", "")),
            Some(password("", "mea")),
            Some(identity("a")),
            Some(registry("a")),
        ];
        let prints: BTreeSet<String> = all.iter().map(|s| fingerprint(s.as_ref())).collect();
        assert_eq!(prints.len(), all.len(), "{prints:?}");
        let again = fingerprint(Some(&password("me", "a")));
        assert!(prints.contains(&again), "{again}");
        let long = fingerprint(Some(&password("me", &"hunter2".repeat(100))));
        assert!(long.len() == 16 && !long.contains("hunter2"), "{long}");
    }

    proptest! {
        #[test]
        fn secrets_round_trip(username in "\\PC{0,20}", text in any::<String>()) {
            for secret in [password(&username, &text), identity(&text), registry(&text)] {
                let value = Secret::encode(Some(&secret));
                prop_assert_eq!(Secret::decode(&value), Ok(Some(secret)));
            }
        }

        #[test]
        fn garbage_never_panics(value in any::<String>()) {
            let _ = Secret::decode(&value);
        }
    }
}
