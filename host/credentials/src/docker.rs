//! Docker's `config.json`, and its relatives: Podman's `auth.json`, Kubernetes's `.dockerconfigjson`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::error::Position;
use crate::helper::{HelperName, HelperNameError};
use crate::secret::{Form, Secret, Unusable};
use crate::server::Server;

/// The part of the file that is about credentials.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DockerConfig {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    #[serde(rename = "credHelpers")]
    helpers: Option<BTreeMap<String, String>>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

/// What the file says of a registry. Kubernetes writes `username` and `password` beside `auth`.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    #[serde(rename = "identitytoken")]
    identity_token: Option<SecretString>,
    #[serde(rename = "registrytoken")]
    registry_token: Option<SecretString>,
}

/// A place that may have the credentials.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A helper, and what to ask it for.
    Helper {
        name: Result<HelperName, HelperNameError>,
        server: &'a str,
    },
    /// The file itself.
    Entry { key: &'a str, entry: &'a Entry },
}

/// What is wrong with an entry of `auths`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// `auth` is not base64 (RFC 4648, section 4).
    #[error("auth is not base64")]
    NotBase64,
    /// `auth` has no colon.
    #[error("auth is not the base64 of a user name, a colon and a password")]
    NoColon,
    /// What it says cannot be sent.
    #[error("{0}")]
    Unusable(#[from] Unusable),
}

impl DockerConfig {
    /// Reads the file. An empty one says nothing, as with Docker.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Position> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(bytes).map_err(|error| Position::from(&error))
    }

    /// Where to look, in order. As with Docker a helper comes before `auths`, the registry's own before the one for
    /// all, and one with an empty name is none; as with Podman `auths` is looked at if the helper has nothing.
    pub(crate) fn steps<'a>(&'a self, servers: &'a [Server]) -> impl Iterator<Item = Step<'a>> {
        servers.iter().flat_map(|server| {
            let entries = self
                .auths
                .iter()
                .flat_map(|auths| server.entries(auths))
                .filter_map(|(key, entry)| entry.as_ref().map(|entry| Step::Entry { key, entry }));
            self.helper(server).into_iter().chain(entries)
        })
    }

    fn helper<'a>(&'a self, server: &'a Server) -> Option<Step<'a>> {
        let own = self
            .helpers
            .as_ref()
            .and_then(|helpers| server.entries(helpers).next());
        let (server, name) = match own {
            Some((key, name)) => (key, name),
            None => (server.key(), self.store.as_ref()?),
        };
        (!name.is_empty()).then(|| Step::Helper {
            name: HelperName::parse(name),
            server,
        })
    }
}

impl Entry {
    /// What it says, if it says something: `docker login` leaves an empty entry for what a helper keeps.
    /// A token stands before the password beside it, as with Docker.
    pub(crate) fn secret(&self) -> Result<Option<Secret>, EntryFault> {
        if let Some(token) = said(&self.registry_token) {
            return Ok(Some(Form::RegistryToken.secret(token.clone())?));
        }
        if let Some(token) = said(&self.identity_token) {
            return Ok(Some(Form::IdentityToken.secret(token.clone())?));
        }
        if let Some(auth) = said(&self.auth) {
            return decode(auth).map(Some);
        }
        let username = self.username.clone().unwrap_or_default();
        let Some(password) = said(&self.password) else {
            return Ok(None);
        };
        let form = Form::Password { username };
        Ok(Some(form.secret(password.clone())?))
    }
}

fn said(text: &Option<SecretString>) -> Option<&SecretString> {
    text.as_ref()
        .filter(|text| !text.expose_secret().is_empty())
}

/// The base64 of `username:password`.
fn decode(auth: &SecretString) -> Result<Secret, EntryFault> {
    let decoded = BASE64_STANDARD
        .decode(auth.expose_secret())
        .map(Zeroizing::new)
        .map_err(|_| EntryFault::NotBase64)?;
    let text = std::str::from_utf8(&decoded).map_err(|_| Unusable::NotUtf8)?;
    let (username, password) = text.split_once(':').ok_or(EntryFault::NoColon)?;
    let username = username.to_owned();
    // Old versions of Docker padded it; the current one cuts that off too.
    let password = password.trim_matches('\0');
    Ok(Form::Password { username }.secret(password.into())?)
}

#[cfg(test)]
mod tests;
