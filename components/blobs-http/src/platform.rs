//! Where the adapter runs, and what cannot work there.

use crate::settings::Redirect;
use serde::Deserialize;

/// The longest value that this adapter writes: a lease with the name of an upload, which some
/// servers make hundreds of bytes long.
const OWN_VALUE: u64 = 4 << 10;

/// A platform whose limits are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Platform {
    /// `spin up`, and Spin on Kubernetes: none but the machine's.
    #[default]
    Spin,
    /// Akamai Functions, once Fermyon Wasm Functions (its page "Quotas and limits").
    AkamaiFunctions,
    /// Fermyon Cloud (its page "Quotas, Limitations, and Technical FAQ").
    FermyonCloud,
}

/// What a platform allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of a response's body.
    pub(crate) response: Option<u64>,
    /// Seconds until a request's work must be done, its response sent.
    pub(crate) seconds: Option<u32>,
    /// Bytes of a value in the key-value store.
    pub(crate) value: Option<u64>,
}

/// What cannot work, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// Layers are longer than a response may be, and the store cannot send them itself.
    #[error(
        "a response has at most {0} bytes, layers have more, and clients cannot be sent to an HTTP server behind the adapter: use a bucket, \"kind\": \"s3\", with \"redirect\""
    )]
    NoBucket(u64),
    /// Layers are longer than a response may be.
    #[error(
        "a response has at most {0} bytes, and layers have more: add \"redirect\", so that clients get those from the bucket"
    )]
    NoRedirect(u64),
    /// Some answers are longer than a response may be, and are not redirected.
    #[error(
        "a response has at most {limit} bytes: make \"above_bytes\" of \"redirect\" {limit} or less, it is {above}"
    )]
    RedirectTooLate {
        /// The platform's limit in bytes.
        limit: u64,
        /// What was asked for.
        above: u64,
    },
    /// A request ends before anything can be fetched.
    #[error(
        "a request has at most {0} seconds: an origin is given ten, and a bucket as many, so at least 20 are needed"
    )]
    TooShort(u32),
    /// Not even a lease can be kept.
    #[error("a value has at most {0} bytes, and records need 4096: use another key-value store")]
    SmallValues(u64),
}

/// An origin's header and a bucket's answer are waited for so long, in sum.
const LEAST_SECONDS: u32 = 20;

impl Platform {
    pub(crate) const fn limits(self) -> Limits {
        match self {
            Self::Spin => Limits {
                response: None,
                seconds: None,
                value: None,
            },
            Self::AkamaiFunctions => Limits {
                response: Some(10 << 20),
                seconds: Some(30),
                value: Some(1_000_000),
            },
            Self::FermyonCloud => Limits {
                response: Some(10_000_000),
                seconds: Some(30),
                value: Some(1_000_000),
            },
        }
    }
}

impl Limits {
    /// # Errors
    /// What cannot work within these.
    pub(crate) fn check(&self, is_bucket: bool, redirect: Option<&Redirect>) -> Result<(), Unfit> {
        if let Some(limit) = self.response {
            match redirect {
                _ if !is_bucket => return Err(Unfit::NoBucket(limit)),
                None => return Err(Unfit::NoRedirect(limit)),
                Some(redirect) if redirect.above > limit => {
                    let above = redirect.above;
                    return Err(Unfit::RedirectTooLate { limit, above });
                }
                Some(_) => {}
            }
        }
        match (self.seconds, self.value) {
            (Some(seconds), _) if seconds < LEAST_SECONDS => Err(Unfit::TooShort(seconds)),
            (_, Some(value)) if value < OWN_VALUE => Err(Unfit::SmallValues(value)),
            _ => Ok(()),
        }
    }
}
