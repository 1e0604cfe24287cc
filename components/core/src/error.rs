//! What a client is told when there is no answer: OCI distribution specification
//! 1.1, "Error codes". The one table of codes and statuses.

use serde::Serialize;

/// The media type of [`ApiError::body`].
pub const MEDIA_TYPE: &str = "application/json";

/// Longest message in bytes; longer ones are cut.
const MAX_MESSAGE: usize = 1024;

/// Why there is no answer. Each kind has one code and one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No such blob in this repository.
    BlobUnknown,
    /// The text is no digest that is supported.
    DigestInvalid,
    /// No such manifest in this repository.
    ManifestUnknown,
    /// The text is no repository's name.
    NameInvalid,
    /// No such repository or upstream.
    NameUnknown,
    /// `n` is no number.
    PaginationInvalid,
    /// The path is none of the API's.
    PathUnknown,
    /// The API's path is right, the method is not served.
    MethodNotAllowed,
    /// No range that was asked for can be satisfied.
    RangeUnsatisfiable,
    /// The origin wants credentials that this mirror has not.
    Unauthorized,
    /// The origin denies access.
    Denied,
    /// The origin failed, or sent what is not the object. The origin's fault.
    OriginFailed,
    /// The origin has enough of us, or we have enough to do. Never 429, which
    /// clients retry at once.
    Unavailable,
    /// The origin did not answer in time.
    OriginTimeout,
    /// The request goes in a circle of mirrors (RFC 5842, section 7.2).
    Loop,
    /// Our own fault.
    Internal,
}

impl ErrorKind {
    /// Every kind, for tables.
    pub const ALL: [Self; 16] = [
        Self::BlobUnknown,
        Self::DigestInvalid,
        Self::ManifestUnknown,
        Self::NameInvalid,
        Self::NameUnknown,
        Self::PaginationInvalid,
        Self::PathUnknown,
        Self::MethodNotAllowed,
        Self::RangeUnsatisfiable,
        Self::Unauthorized,
        Self::Denied,
        Self::OriginFailed,
        Self::Unavailable,
        Self::OriginTimeout,
        Self::Loop,
        Self::Internal,
    ];

    /// The code in the body and the status of the response. The codes that the
    /// specification lacks are those of the distribution project's registry:
    /// `PAGINATION_NUMBER_INVALID`, `RANGE_INVALID`, `UNAVAILABLE`, `UNKNOWN`.
    const fn row(self) -> (&'static str, u16) {
        match self {
            Self::BlobUnknown => ("BLOB_UNKNOWN", 404),
            Self::DigestInvalid => ("DIGEST_INVALID", 400),
            Self::ManifestUnknown => ("MANIFEST_UNKNOWN", 404),
            Self::NameInvalid => ("NAME_INVALID", 400),
            Self::NameUnknown => ("NAME_UNKNOWN", 404),
            Self::PaginationInvalid => ("PAGINATION_NUMBER_INVALID", 400),
            Self::PathUnknown => ("UNSUPPORTED", 404),
            Self::MethodNotAllowed => ("UNSUPPORTED", 405),
            Self::RangeUnsatisfiable => ("RANGE_INVALID", 416),
            Self::Unauthorized => ("UNAUTHORIZED", 401),
            Self::Denied => ("DENIED", 403),
            Self::OriginFailed => ("UNAVAILABLE", 502),
            Self::Unavailable => ("UNAVAILABLE", 503),
            Self::OriginTimeout => ("UNAVAILABLE", 504),
            Self::Loop => ("UNAVAILABLE", 508),
            Self::Internal => ("UNKNOWN", 500),
        }
    }

    /// The code in the body.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// The status of the response.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }
}

/// A failure as the client is told it. The message names no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", .kind.code())]
pub struct ApiError {
    kind: ErrorKind,
    message: String,
    challenges: Option<Vec<String>>,
}

impl ApiError {
    /// A failure of a kind, in words for people.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        }
        Self {
            kind,
            message,
            challenges: None,
        }
    }

    /// The same for a client whose own credentials the origin did not take, with what it wants
    /// instead (`WWW-Authenticate`, RFC 9110, section 11.6.1).
    #[must_use]
    pub fn challenging(self, challenges: Vec<String>) -> Self {
        Self {
            challenges: Some(challenges),
            ..self
        }
    }

    /// What the origin wants of this client.
    #[must_use]
    pub fn challenges(&self) -> &[String] {
        self.challenges.as_deref().unwrap_or_default()
    }

    /// Whether it says nothing to others that ask for the same: it is about this client's
    /// credentials, or its ranges.
    #[must_use]
    pub const fn is_personal(&self) -> bool {
        self.challenges.is_some() || matches!(self.kind, ErrorKind::RangeUnsatisfiable)
    }

    /// Its kind, and so its code and status.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The words for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The JSON of the response: `{"errors":[{"code":…,"message":…}]}`.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let errors = [ErrorInfo {
            code: self.kind.code(),
            message: &self.message,
        }];
        serde_json::to_vec(&ErrorResponse { errors }).unwrap_or_default()
    }
}

/// The shape of `oci_spec::distribution::ErrorResponse`, which cannot hold the
/// four codes that the specification lacks.
#[derive(Serialize)]
struct ErrorResponse<'a> {
    errors: [ErrorInfo<'a>; 1],
}

#[derive(Serialize)]
struct ErrorInfo<'a> {
    code: &'a str,
    message: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::distribution::{ErrorCode, ErrorResponse};
    use std::str::FromStr;

    #[test]
    fn codes_are_the_specifications_or_named_here() {
        let own = [
            "PAGINATION_NUMBER_INVALID",
            "RANGE_INVALID",
            "UNAVAILABLE",
            "UNKNOWN",
        ];
        for kind in ErrorKind::ALL {
            let known = ErrorCode::from_str(kind.code()).is_ok();
            assert!(known != own.contains(&kind.code()), "{}", kind.code());
            assert!((400..600).contains(&kind.status()) && kind.status() != 429);
        }
    }

    #[test]
    fn bodies_have_the_specifications_shape() {
        let error = ApiError::new(ErrorKind::NameUnknown, "no upstream is called \"evil\"");
        assert_eq!(
            error.body(),
            br#"{"errors":[{"code":"NAME_UNKNOWN","message":"no upstream is called \"evil\""}]}"#
        );
        let parsed: ErrorResponse =
            serde_json::from_slice(&error.body()).expect("the specification's shape");
        assert_eq!(parsed.errors()[0].code(), &ErrorCode::NameUnknown);
        assert_eq!(
            error.to_string(),
            "NAME_UNKNOWN: no upstream is called \"evil\""
        );
    }

    #[test]
    fn messages_are_bounded() {
        let error = ApiError::new(ErrorKind::Internal, "é".repeat(2000));
        assert_eq!(error.message(), "é".repeat(512));
    }
}
