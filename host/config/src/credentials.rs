//! From where an upstream's credentials come. They are fetched elsewhere, and while the mirror runs.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::entries::{of_shape, path, scalar};
use crate::error::{Fault, Problem, Quoted};
use crate::file::{Entry, Key, Section};
use crate::provenance::Sourced;
use crate::value::{Shape, Value};

/// From where an upstream's credentials come.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A user's name, and where the password is.
    Password {
        /// The user's name.
        username: Sourced<String>,
        /// Where the password is, or a personal access token.
        password: Text,
    },
    /// Where a token is that the registry takes as it is.
    Token(Text),
    /// Docker's `config.json`, or a file of its format; without a path where Docker has it.
    DockerConfig(Sourced<Option<PathBuf>>),
    /// The program `docker-credential-NAME`: letters, digits, `.`, `_` and `-`.
    Helper(Sourced<String>),
}

/// Where a secret text is. `Debug` hides it.
#[derive(Debug, Clone)]
pub enum Text {
    /// In the configuration.
    Inline(Sourced<SecretString>),
    /// In a file.
    File(Sourced<PathBuf>),
    /// In an environment variable.
    Environment(Sourced<String>),
}

/// The ways to a password, to a token, and to both. At most one of all may be given.
const PASSWORDS: [&str; 3] = ["password", "password_file", "password_env"];
const TOKENS: [&str; 3] = ["token", "token_file", "token_env"];
const DOCKER_CONFIG: &str = "docker_config";
const HELPER: &str = "credential_helper";

/// What the section says of them. A problem more if that is not one way and the whole of it.
pub(crate) fn read(
    head: &Key,
    section: &mut Section<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Credentials> {
    let username = section.take("username");
    let ways = PASSWORDS.into_iter().chain(TOKENS);
    let ways = ways.chain([DOCKER_CONFIG, HELPER]);
    let mut given = ways
        .filter_map(|key| Some((key, section.take(key)?)))
        // No is as good as nothing.
        .filter(|(key, entry)| *key != DOCKER_CONFIG || !entry.is_boolean(false));
    let Some((way, entry)) = given.next() else {
        if username.is_some() {
            problems.push(head.problem(half("username", "password")));
        }
        return None;
    };
    let beside = |other: &Entry<'_>| other.problem(Fault::SeveralCredentials { first: way });
    problems.extend(given.map(|(_, other)| beside(&other)));
    if !PASSWORDS.contains(&way) {
        problems.extend(username.as_ref().map(beside));
        return secret(way, entry, problems);
    }
    if username.is_none() {
        problems.push(head.problem(half(way, "username")));
    }
    let username = scalar(username, user_name, problems);
    let password = text(way, entry, sendable, problems);
    Some(Credentials::Password {
        username: username?,
        password: password?,
    })
}

/// One of the ways to a password, without a user's name. A problem more if there are several.
pub(crate) fn password(section: &mut Section<'_>, problems: &mut Vec<Problem>) -> Option<Text> {
    let mut given = PASSWORDS
        .into_iter()
        .filter_map(|key| Some((key, section.take(key)?)));
    let (way, entry) = given.next()?;
    let others: Vec<_> = given.collect();
    let beside =
        |(_, other): &(&str, Entry<'_>)| other.problem(Fault::SeveralCredentials { first: way });
    problems.extend(others.iter().map(beside));
    text(way, entry, sendable, problems)
}

/// All ways but those to a password.
fn secret(way: &str, entry: Entry<'_>, problems: &mut Vec<Problem>) -> Option<Credentials> {
    match way {
        DOCKER_CONFIG => docker_config(&entry, problems).map(Credentials::DockerConfig),
        HELPER => scalar(Some(entry), helper_name, problems).map(Credentials::Helper),
        _ => text(way, entry, bearer, problems).map(Credentials::Token),
    }
}

/// Yes, or a path. No was sorted out.
fn docker_config(
    entry: &Entry<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Sourced<Option<PathBuf>>> {
    if entry.is_boolean(true) {
        return Some(Sourced::new(None, entry.provenance()));
    }
    let path = |text: &str| <PathBuf as Value>::parse(text).map(Some);
    of_shape(entry, Shape::TextOrBoolean, path, problems)
}

fn text(
    way: &str,
    entry: Entry<'_>,
    inline: fn(&str) -> Result<SecretString, Fault>,
    problems: &mut Vec<Problem>,
) -> Option<Text> {
    if way.ends_with("_file") {
        path(Some(entry), problems).map(Text::File)
    } else if way.ends_with("_env") {
        scalar(Some(entry), variable_name, problems).map(Text::Environment)
    } else {
        scalar(Some(entry), inline, problems).map(Text::Inline)
    }
}

const fn half(given: &'static str, missing: &'static str) -> Fault {
    Fault::HalfCredentials { given, missing }
}

/// RFC 7617, section 2: no colon, no control characters.
fn user_name(text: &str) -> Result<String, Fault> {
    if text.contains(':') {
        return Err(Fault::Credential);
    }
    sendable(text).map(|_| text.to_owned())
}

fn sendable(text: &str) -> Result<SecretString, Fault> {
    if text.is_empty() || text.chars().any(char::is_control) {
        Err(Fault::Credential)
    } else {
        Ok(text.into())
    }
}

/// RFC 6750, section 2.1: visible ASCII.
fn bearer(text: &str) -> Result<SecretString, Fault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(Fault::Token)
    } else {
        Ok(text.into())
    }
}

/// POSIX has no `=` in it, and systems no NUL. Most have only letters, digits and underscores.
fn variable_name(text: &str) -> Result<String, Fault> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.is_empty() || !text.bytes().all(known) {
        // It may be the secret itself by mistake.
        return Err(Fault::VariableName);
    }
    Ok(text.to_owned())
}

fn helper_name(text: &str) -> Result<String, Fault> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_whole_name = text.starts_with("docker-credential-");
    if text.is_empty() || is_whole_name || !text.bytes().all(known) {
        return Err(Fault::HelperName(Quoted::of(text)));
    }
    Ok(text.to_owned())
}
