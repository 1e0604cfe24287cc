//! The adapter's settings, as they cross the border: JSON in one variable, and secrets in
//! variables of their own.

use crate::platform::{Limits, Platform, Unfit};
use crate::s3::{Bucket, BucketError};
use crate::secrets::Secrets;
use crate::server::{Server, ServerError};
use serde::Deserialize;

/// The variable that holds the JSON of [`Settings`].
pub(crate) const VARIABLE: &str = "ledge_blobs";

/// How many bytes a part of an upload has unless it is said: S3 wants 5 MiB at least, some
/// platforms send no request of more than 10 MiB, and ten thousand of these are 78 GiB.
pub(crate) const DEFAULT_PART_BYTES: u64 = 8 << 20;

/// How long a client may follow a redirect unless it is said, in seconds: it does so at once.
pub(crate) const DEFAULT_REDIRECT_SECONDS: u32 = 300;

/// How long an object is waited for that somebody else stores, unless it is said, in seconds:
/// containerd waits half a minute for an answer's header, and an origin needs some of that.
pub(crate) const DEFAULT_WAIT_SECONDS: u32 = 10;

/// A bucket takes URLs for a week (AWS Signature Version 4, "Authenticating Requests: Using Query Parameters").
const LONGEST_REDIRECT: u32 = 7 * 24 * 3600;

/// From how many bytes on clients are sent to the bucket unless it is said: manifests and
/// configurations are answered at once, layers are worth another connection.
pub(crate) const DEFAULT_REDIRECT_ABOVE: u64 = 1 << 20;

/// What the adapter is told, before it is checked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    store: WrittenStore,
    #[serde(default)]
    platform: Platform,
    #[serde(default)]
    limits: WrittenLimits,
    #[serde(default)]
    redirect: Option<WrittenRedirect>,
    #[serde(default = "default_leases")]
    leases: String,
    #[serde(default = "default_wait_seconds")]
    wait_seconds: u32,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum WrittenStore {
    S3 {
        endpoint: String,
        region: String,
        bucket: String,
        #[serde(default)]
        addressing: Addressing,
        #[serde(default)]
        prefix: String,
        #[serde(default = "default_part_bytes")]
        part_bytes: u64,
    },
    Http {
        url: String,
        #[serde(default)]
        commit: Commit,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLimits {
    response_bytes: Option<u64>,
    request_seconds: Option<u32>,
    value_bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRedirect {
    #[serde(default = "default_redirect_above")]
    above_bytes: u64,
    #[serde(default = "default_redirect_seconds")]
    seconds: u32,
}

/// Where a bucket's name stands in a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Addressing {
    /// `https://endpoint/bucket/key`, which every server understands.
    #[default]
    Path,
    /// `https://bucket.endpoint/key`, which AWS recommends.
    VirtualHost,
}

/// How an object appears at an HTTP server, whole or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Commit {
    /// By its PUT. Of one that is cut short the server must keep nothing, as nginx does.
    #[default]
    Put,
    /// By a PUT to another name, and a MOVE (WebDAV, RFC 4918, section 9.9).
    Move,
}

/// What the adapter is told, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) store: Store,
    pub(crate) limits: Limits,
    pub(crate) redirect: Option<Redirect>,
    /// The label of the key-value store of leases.
    pub(crate) leases: Option<String>,
    /// How long an object is waited for that somebody else stores, in seconds.
    pub(crate) wait: u32,
}

/// Where objects are.
#[derive(Debug)]
pub(crate) enum Store {
    S3(Bucket),
    Http(Server),
}

/// Whom to send to the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    /// Answers of more bytes.
    pub(crate) above: u64,
    /// How long the URL holds.
    pub(crate) seconds: u32,
}

/// Why settings cannot be used. The text shows no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// It is no such JSON; serde says what it expected.
    #[error("it is not readable: {0}")]
    Json(#[from] serde_json::Error),
    /// The bucket cannot be.
    #[error("\"store\": {0}")]
    Bucket(#[from] BucketError),
    /// The server cannot be.
    #[error("\"store\": {0}")]
    Server(#[from] ServerError),
    /// The redirect cannot be.
    #[error("\"redirect\": {0}")]
    Redirect(&'static str),
    /// It cannot work on the platform.
    #[error("on this platform that cannot work: {0}")]
    Unfit(#[from] Unfit),
}

impl Settings {
    /// Reads and checks what the variables say.
    ///
    /// # Errors
    /// The JSON is not as above, or says what cannot work.
    pub(crate) fn parse(json: &str, secrets: &Secrets) -> Result<Self, SettingsError> {
        let written: Written = serde_json::from_str(json)?;
        let limits = written.limits.over(written.platform);
        let redirect = written.redirect.as_ref().map(redirect).transpose()?;
        let is_bucket = matches!(written.store, WrittenStore::S3 { .. });
        if !is_bucket && redirect.is_some() {
            return Err(SettingsError::Redirect(
                "only a bucket has URLs that let clients in: use \"kind\": \"s3\"",
            ));
        }
        limits.check(is_bucket, redirect.as_ref())?;
        Ok(Self {
            store: store(written.store, secrets)?,
            limits,
            redirect,
            leases: Some(written.leases).filter(|label| !label.is_empty()),
            // Of a request's time the rest is for the object itself.
            wait: written
                .wait_seconds
                .min(limits.seconds.map_or(u32::MAX, |most| most / 3)),
        })
    }
}

impl WrittenLimits {
    fn over(&self, platform: Platform) -> Limits {
        let own = platform.limits();
        Limits {
            response: self.response_bytes.or(own.response),
            seconds: self.request_seconds.or(own.seconds),
            value: self.value_bytes.or(own.value),
        }
    }
}

fn redirect(written: &WrittenRedirect) -> Result<Redirect, SettingsError> {
    if !(1..=LONGEST_REDIRECT).contains(&written.seconds) {
        return Err(SettingsError::Redirect(
            "\"seconds\" is from 1 to 604800, a week",
        ));
    }
    Ok(Redirect {
        above: written.above_bytes,
        seconds: written.seconds,
    })
}

fn store(written: WrittenStore, secrets: &Secrets) -> Result<Store, SettingsError> {
    Ok(match written {
        WrittenStore::S3 {
            endpoint,
            region,
            bucket,
            addressing,
            prefix,
            part_bytes,
        } => {
            let bucket = Bucket::new(&endpoint, addressing, bucket, region, secrets)?;
            Store::S3(bucket.with_prefix(&prefix)?.with_parts(part_bytes)?)
        }
        WrittenStore::Http { url, commit } => Store::Http(Server::new(&url, commit, secrets)?),
    })
}

fn default_leases() -> String {
    ledge_core::key::DEFAULT_STORE.to_owned()
}

const fn default_part_bytes() -> u64 {
    DEFAULT_PART_BYTES
}

const fn default_wait_seconds() -> u32 {
    DEFAULT_WAIT_SECONDS
}

const fn default_redirect_above() -> u64 {
    DEFAULT_REDIRECT_ABOVE
}

const fn default_redirect_seconds() -> u32 {
    DEFAULT_REDIRECT_SECONDS
}

#[cfg(test)]
mod tests;
