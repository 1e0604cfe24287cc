//! What is sent to an origin, and what makes it unfit to be sent.

use secrecy::{ExposeSecret, SecretString};

/// What an upstream's requests, or those to its token service, are authenticated with.
#[derive(Clone, Debug)]
pub enum Secret {
    /// For Basic authentication (RFC 7617), with the registry or its token service.
    Password {
        /// The user's name. It has neither colons nor control characters.
        username: String,
        /// The password, or a personal access token. It is not empty and has no control characters.
        password: SecretString,
    },
    /// An OAuth 2.0 refresh token (RFC 6749, section 6): the token service gives an access token for it.
    /// Docker calls it `identitytoken`.
    IdentityToken(SecretString),
    /// A Bearer token (RFC 6750) that the registry takes as it is. Docker calls it `registrytoken`.
    RegistryToken(SecretString),
}

impl PartialEq for Secret {
    /// Both sides are ours, so the time that this takes tells a stranger nothing.
    fn eq(&self, other: &Self) -> bool {
        let same =
            |one: &SecretString, two: &SecretString| one.expose_secret() == two.expose_secret();
        match (self, other) {
            (
                Self::Password { username, password },
                Self::Password {
                    username: name,
                    password: word,
                },
            ) => username == name && same(password, word),
            (Self::IdentityToken(one), Self::IdentityToken(two))
            | (Self::RegistryToken(one), Self::RegistryToken(two)) => same(one, two),
            _ => false,
        }
    }
}

impl Eq for Secret {}

/// What a bare text from the configuration, a file or a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// The password of this user.
    Password {
        /// The user's name.
        username: String,
    },
    /// An OAuth 2.0 refresh token.
    IdentityToken,
    /// A Bearer token for the registry.
    RegistryToken,
}

impl Form {
    /// The text as what it is, if it can be sent.
    pub(crate) fn secret(&self, text: SecretString) -> Result<Secret, Unusable> {
        match self {
            Self::Password { username } => {
                user_name(username)?;
                sendable(&text)?;
                Ok(Secret::Password {
                    username: username.clone(),
                    password: text,
                })
            }
            Self::IdentityToken => sendable(&text).map(|()| Secret::IdentityToken(text)),
            Self::RegistryToken => token(&text).map(|()| Secret::RegistryToken(text)),
        }
    }
}

/// Why something cannot be sent as a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is no user name.
    #[error("the user name is empty")]
    NoUserName,
    /// Basic authentication separates name and password by a colon (RFC 7617, section 2).
    #[error("the user name has a colon or control characters")]
    UserName,
    /// There is no password or token.
    #[error("the password or token is empty")]
    Empty,
    /// RFC 7617, section 2, forbids them. Most often there is a second line.
    #[error("the password or token has control characters, or more than one line")]
    Control,
    /// A Bearer token is visible ASCII (RFC 6750, section 2.1).
    #[error("the token has other characters than visible ASCII")]
    Token,
    /// Nothing else can be sent.
    #[error("it is not UTF-8")]
    NotUtf8,
}

fn user_name(name: &str) -> Result<(), Unusable> {
    if name.is_empty() {
        return Err(Unusable::NoUserName);
    }
    if name.contains(|c: char| c == ':' || c.is_control()) {
        return Err(Unusable::UserName);
    }
    Ok(())
}

fn sendable(text: &SecretString) -> Result<(), Unusable> {
    let text = text.expose_secret();
    if text.is_empty() {
        return Err(Unusable::Empty);
    }
    if text.contains(char::is_control) {
        return Err(Unusable::Control);
    }
    Ok(())
}

fn token(text: &SecretString) -> Result<(), Unusable> {
    sendable(text)?;
    if text
        .expose_secret()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        Ok(())
    } else {
        Err(Unusable::Token)
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Secret, Unusable};

    fn password(username: &str, password: &str) -> Result<Secret, Unusable> {
        let username = username.to_owned();
        Form::Password { username }.secret(password.into())
    }

    #[test]
    fn what_can_be_sent() {
        for (username, word, expected) in [
            ("robot$pull", "päss:word ", None),
            ("", "word", Some(Unusable::NoUserName)),
            ("a:b", "word", Some(Unusable::UserName)),
            ("a\r", "word", Some(Unusable::UserName)),
            ("robot", "", Some(Unusable::Empty)),
            ("robot", "one\ntwo", Some(Unusable::Control)),
            ("robot", "nul\0", Some(Unusable::Control)),
        ] {
            assert_eq!(
                password(username, word).err(),
                expected,
                "{username:?} {word:?}"
            );
        }
        for (form, text, expected) in [
            (Form::IdentityToken, "ein töken", None),
            (Form::IdentityToken, "", Some(Unusable::Empty)),
            (Form::RegistryToken, "ey.J-_~+/=", None),
            (Form::RegistryToken, "ein töken", Some(Unusable::Token)),
            (Form::RegistryToken, "a b", Some(Unusable::Token)),
            (Form::RegistryToken, "a\nb", Some(Unusable::Control)),
        ] {
            assert_eq!(
                form.secret(text.into()).err(),
                expected,
                "{form:?} {text:?}"
            );
        }
    }

    #[test]
    fn equal_means_every_part_and_the_kind() {
        let one = password("robot", "word").expect("usable");
        assert_eq!(one, one.clone());
        assert_ne!(one, password("robot", "wort").expect("usable"));
        assert_ne!(one, password("other", "word").expect("usable"));
        let identity = Secret::IdentityToken("word".into());
        assert_eq!(identity, identity.clone());
        assert_ne!(identity, Secret::RegistryToken("word".into()));
        assert_ne!(identity, Secret::IdentityToken("wort".into()));
    }
}
