//! What went wrong, in the border's words. The texts name no secret: no URL, no message of others.

use crate::bindings::exports::ledge::edge::blobs::Error;
use crate::bindings::wasi::http::types::ErrorCode;

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// It was not reached, or its answer broke off.
    #[error("the store cannot be reached: {kind}", kind = kind(.0))]
    Unreachable(ErrorCode),
    /// It answered with something else.
    #[error("the store answered with status {0}{remedy}", remedy = remedy(*.0))]
    Status(u16),
    /// It answered with what cannot be understood.
    #[error("the store's answer is malformed: {0}")]
    Malformed(&'static str),
    /// It takes no object of so many bytes.
    #[error("the store takes no object of {0} bytes")]
    TooLarge(u64),
}

impl StoreError {
    /// Whether the store is away and not wrongly configured: then the origin serves meanwhile.
    pub(crate) const fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Status(status) => matches!(*status, 408 | 429 | 500..=599),
            Self::Malformed(_) | Self::TooLarge(_) => false,
        }
    }
}

impl From<ErrorCode> for StoreError {
    fn from(error: ErrorCode) -> Self {
        Self::Unreachable(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Status(507) => Self::NoSpace,
            StoreError::TooLarge(_) => Self::TooLarge,
            error => Self::Other(error.to_string()),
        }
    }
}

/// What failed on the way to an origin.
pub(crate) fn origin(error: &ErrorCode) -> Error {
    match error {
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Error::Timeout,
        error => Error::Unreachable(kind(error)),
    }
}

/// The kind of an error, without the text that a host may have put into it.
fn kind(error: &ErrorCode) -> String {
    let text = format!("{error:?}");
    let text = text.trim_start_matches("ErrorCode::");
    let end = text.find(['(', '{', ' ']).unwrap_or(text.len());
    text[..end].to_owned()
}

/// What an operator is to do about it.
const fn remedy(status: u16) -> &'static str {
    match status {
        401 => " (are ledge_blobs_key and ledge_blobs_secret right?)",
        403 => {
            " (are ledge_blobs_key and ledge_blobs_secret right, and the clock? Buckets say so too of what is not there, unless s3:ListBucket is allowed)"
        }
        405 => " (is WebDAV on?)",
        411 => " (it wants a Content-Length)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_no_more_than_the_kind() {
        let secret = ErrorCode::InternalError(Some("GET /?X-Amz-Signature=hunter2".to_owned()));
        for (error, text) in [
            (secret, "InternalError"),
            (ErrorCode::ConnectionRefused, "ConnectionRefused"),
            (
                ErrorCode::HttpResponseBodySize(Some(7)),
                "HttpResponseBodySize",
            ),
        ] {
            assert_eq!(kind(&error), text);
        }
    }

    #[test]
    fn only_an_outage_lets_the_origin_serve() {
        for (status, is_outage) in [
            (500, true),
            (503, true),
            (429, true),
            (403, false),
            (301, false),
        ] {
            assert_eq!(
                StoreError::Status(status).is_outage(),
                is_outage,
                "{status}"
            );
        }
        assert!(StoreError::Unreachable(ErrorCode::ConnectionRefused).is_outage());
    }
}
