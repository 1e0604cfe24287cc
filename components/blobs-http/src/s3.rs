//! A bucket that speaks S3: which requests do what. Signed with AWS Signature Version 4 in the
//! query, so that one way of signing serves the adapter's own requests and clients' redirects.
//! Bodies are not signed: what they hold is proved by its digest before it is committed.

use crate::call::{Call, Verb};
use crate::place;
use crate::secrets::Secrets;
use crate::settings::Addressing;
use jiff::Timestamp;
use rusty_s3::actions::{CompleteMultipartUploadResponse, CreateMultipartUpload};
use rusty_s3::{Credentials, S3Action, UrlStyle};
use secrecy::ExposeSecret as _;
use std::time::Duration;
use url::Url;

/// How long a signature of a request that is sent now holds. Clocks differ, and a part's upload
/// may wait for its turn; a log that shows the URL should show something of little use.
const OWN_REQUESTS: Duration = Duration::from_secs(300);

/// The smallest part but the last ("Amazon S3 multipart upload limits").
const LEAST_PART: u64 = 5 << 20;

/// The largest part, and the largest object that goes up in one request (same page).
const MOST_PART: u64 = 5 << 30;

/// How many parts an object has at most (same page).
const PARTS: u64 = 10_000;

/// A bucket, and what opens it.
#[derive(Debug)]
pub(crate) struct Bucket {
    bucket: rusty_s3::Bucket,
    credentials: Option<Credentials>,
    prefix: String,
    part: u64,
}

/// Why there can be no such bucket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
    /// The endpoint is no URL.
    #[error("\"endpoint\" is no URL like https://s3.eu-central-1.amazonaws.com: {0}")]
    Endpoint(url::ParseError),
    /// URLs are printed, and this one holds a secret.
    #[error(
        "\"endpoint\" holds a user name, a password or a query: secrets are in the variables ledge_blobs_key and ledge_blobs_secret"
    )]
    Secret,
    /// Endpoint and name make no address.
    #[error(
        "\"bucket\" and \"endpoint\" make no address ({0}): use \"addressing\": \"path\" where the endpoint is an IP address or the name has other characters than a host's"
    )]
    Address(rusty_s3::BucketError),
    /// The name would name something else.
    #[error("\"bucket\" is empty, or has a slash")]
    Name,
    /// The prefix would have to be encoded.
    #[error("\"prefix\" is a path of letters, digits, dots, hyphens and underscores")]
    Prefix,
    /// One half of a key opens nothing.
    #[error("the variables ledge_blobs_key and ledge_blobs_secret must both be set, or neither")]
    HalfKey,
    /// Parts are too small or too large.
    #[error("\"part_bytes\" is from 5242880 (5 MiB) to 5368709120 (5 GiB)")]
    Part,
}

impl Bucket {
    /// # Errors
    /// There can be no such bucket.
    pub(crate) fn new(
        endpoint: &str,
        addressing: Addressing,
        name: String,
        region: String,
        secrets: &Secrets,
    ) -> Result<Self, BucketError> {
        let endpoint = Url::parse(endpoint).map_err(BucketError::Endpoint)?;
        let has_secret = !endpoint.username().is_empty() || endpoint.password().is_some();
        if has_secret || endpoint.query().is_some() {
            return Err(BucketError::Secret);
        }
        if name.is_empty() || name.contains('/') {
            return Err(BucketError::Name);
        }
        let style = match addressing {
            Addressing::Path => UrlStyle::Path,
            Addressing::VirtualHost => UrlStyle::VirtualHost,
        };
        let bucket = rusty_s3::Bucket::new(endpoint, style, name, region);
        Ok(Self {
            bucket: bucket.map_err(BucketError::Address)?,
            credentials: credentials(secrets)?,
            prefix: String::new(),
            part: LEAST_PART,
        })
    }

    /// Objects are below this path.
    ///
    /// # Errors
    /// It would have to be encoded.
    pub(crate) fn with_prefix(self, prefix: &str) -> Result<Self, BucketError> {
        let prefix = place::prefix(prefix).ok_or(BucketError::Prefix)?;
        Ok(Self { prefix, ..self })
    }

    /// What is longer goes up in parts of so many bytes.
    ///
    /// # Errors
    /// S3 takes no such parts.
    pub(crate) fn with_parts(self, part: u64) -> Result<Self, BucketError> {
        if (LEAST_PART..=MOST_PART).contains(&part) {
            Ok(Self { part, ..self })
        } else {
            Err(BucketError::Part)
        }
    }

    /// How many bytes a part of an object of `size` bytes has; all of it if it goes up in one
    /// request, and `None` if it is too large for the bucket.
    pub(crate) const fn part(&self, size: u64) -> Option<u64> {
        let (least, rest) = (size / PARTS, size % PARTS);
        let least = if rest == 0 { least } else { least + 1 };
        let part = if self.part < least { least } else { self.part };
        if part > MOST_PART {
            None
        } else if size < part {
            Some(size)
        } else {
            Some(part)
        }
    }

    /// The key of a name.
    fn key(&self, name: &str) -> String {
        place::below(&self.prefix, name)
    }

    pub(crate) fn head(&self, name: &str, now: Timestamp) -> Call {
        let key = self.key(name);
        let action = self.bucket.head_object(self.credentials.as_ref(), &key);
        signed(Verb::Head, &action, now)
    }

    pub(crate) fn get(&self, name: &str, now: Timestamp) -> Call {
        let key = self.key(name);
        let action = self.bucket.get_object(self.credentials.as_ref(), &key);
        signed(Verb::Get, &action, now)
    }

    /// A URL by which a client gets the object itself, for so many seconds.
    pub(crate) fn lend(&self, name: &str, now: Timestamp, seconds: u32) -> Url {
        let key = self.key(name);
        let action = self.bucket.get_object(self.credentials.as_ref(), &key);
        action.sign_with_time(Duration::from_secs(seconds.into()), &now)
    }

    pub(crate) fn put(&self, name: &str, now: Timestamp) -> Call {
        let key = self.key(name);
        let action = self.bucket.put_object(self.credentials.as_ref(), &key);
        signed(Verb::Put, &action, now)
    }

    pub(crate) fn delete(&self, name: &str, now: Timestamp) -> Call {
        let key = self.key(name);
        let action = self.bucket.delete_object(self.credentials.as_ref(), &key);
        signed(Verb::Delete, &action, now)
    }

    /// Begins an upload in parts.
    pub(crate) fn begin(&self, name: &str, now: Timestamp) -> Call {
        let key = self.key(name);
        let credentials = self.credentials.as_ref();
        let action = self.bucket.create_multipart_upload(credentials, &key);
        signed(Verb::Post, &action, now)
    }

    /// Sends a part, numbered from 1.
    pub(crate) fn send(&self, name: &str, upload: &str, number: u16, now: Timestamp) -> Call {
        let key = self.key(name);
        let credentials = self.credentials.as_ref();
        let action = self.bucket.upload_part(credentials, &key, number, upload);
        signed(Verb::Put, &action, now)
    }

    /// Makes the parts an object. The body goes with the request.
    pub(crate) fn complete(
        &self,
        name: &str,
        upload: &str,
        etags: &[String],
        now: Timestamp,
    ) -> (Call, String) {
        let key = self.key(name);
        let etags = etags.iter().map(String::as_str);
        let credentials = self.credentials.as_ref();
        let action = self
            .bucket
            .complete_multipart_upload(credentials, &key, upload, etags);
        let call = signed(Verb::Post, &action, now).with("content-type", "application/xml");
        (call, action.body())
    }

    /// Forgets an upload and its parts.
    pub(crate) fn abort(&self, name: &str, upload: &str, now: Timestamp) -> Call {
        let key = self.key(name);
        let credentials = self.credentials.as_ref();
        let action = self
            .bucket
            .abort_multipart_upload(credentials, &key, upload);
        signed(Verb::Delete, &action, now)
    }
}

/// The name of the upload that was begun.
pub(crate) fn begun(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let parsed = CreateMultipartUpload::parse_response(text).ok()?;
    let id = parsed.upload_id();
    (!id.is_empty()).then(|| id.to_owned())
}

/// Whether an upload became an object. S3 answers 200 before it knows ("CompleteMultipartUpload":
/// "a 200 OK response can contain either a success or an error").
pub(crate) fn is_completed(body: &[u8]) -> bool {
    let text = std::str::from_utf8(body).unwrap_or_default();
    CompleteMultipartUploadResponse::parse(text).is_ok()
}

fn signed<'a>(verb: Verb, action: &impl S3Action<'a>, now: Timestamp) -> Call {
    Call::new(verb, action.sign_with_time(OWN_REQUESTS, &now))
}

fn credentials(secrets: &Secrets) -> Result<Option<Credentials>, BucketError> {
    let (key, secret) = match (&secrets.key, &secrets.secret) {
        (None, None) => return Ok(None),
        (Some(key), Some(secret)) => (key.expose_secret(), secret.expose_secret()),
        _ => return Err(BucketError::HalfKey),
    };
    Ok(Some(match &secrets.token {
        Some(token) => Credentials::new_with_token(key, secret, token.expose_secret()),
        None => Credentials::new(key, secret),
    }))
}

#[cfg(test)]
mod tests;
