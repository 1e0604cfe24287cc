//! From the border's errors to what a client is told: whose fault it was, and
//! never a secret.

use crate::bindings::ledge::edge::blobs;
use crate::bindings::wasi::http::types::ErrorCode;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::range::unsatisfied_range;
use ledge_core::route::{ALLOW, RouteError};
use ledge_core::upstream::TargetError;

/// Seconds after which a client may ask again when the origin has enough of us:
/// what the distribution project's client waits at most between two tries.
const RETRY_AFTER_ORIGIN: u32 = 10;

/// A failure, and the fields that go with its status.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) error: ApiError,
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let fields = match error.kind() {
            ErrorKind::MethodNotAllowed => vec![("allow", ALLOW.to_owned())],
            ErrorKind::Unavailable => vec![("retry-after", RETRY_AFTER_ORIGIN.to_string())],
            _ => {
                let challenges = error.challenges().iter();
                challenges
                    .map(|challenge| ("www-authenticate", challenge.clone()))
                    .collect()
            }
        };
        Self { error, fields }
    }
}

impl From<RouteError> for Failure {
    fn from(error: RouteError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        ApiError::from(error).into()
    }
}

/// What an origin's status means for the client. `missing` is the kind of a 404.
pub(crate) fn refused(upstream: &str, status: u16, missing: ErrorKind) -> ApiError {
    let (kind, what) = match status {
        401 => (
            ErrorKind::Unauthorized,
            "wants other credentials than this mirror has",
        ),
        403 => (ErrorKind::Denied, "denies access"),
        404 | 410 => (missing, "does not know it"),
        429 => (ErrorKind::Unavailable, "limits this mirror's requests"),
        503 => (ErrorKind::Unavailable, "is not available"),
        _ => (ErrorKind::OriginFailed, "failed"),
    };
    ApiError::new(
        kind,
        format!("upstream {upstream} {what} (status {status})"),
    )
}

/// What a failed exchange with an origin means for the client.
pub(crate) fn unreachable(upstream: &str, error: &ErrorCode) -> ApiError {
    let timeout = matches!(
        error,
        ErrorCode::DnsTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout
    );
    eprintln!("upstream {upstream}: {error}");
    if timeout {
        late(upstream)
    } else {
        unconnected(upstream)
    }
}

/// Why is logged, and not told: it may name what is inside.
fn unconnected(upstream: &str) -> ApiError {
    origin_failed(upstream, "cannot be reached; the mirror's log says why")
}

/// An upstream's fault.
pub(crate) fn origin_failed(upstream: &str, what: &str) -> ApiError {
    ApiError::new(
        ErrorKind::OriginFailed,
        format!("upstream {upstream} {what}"),
    )
}

/// An upstream's slowness.
pub(crate) fn late(upstream: &str) -> ApiError {
    ApiError::new(
        ErrorKind::OriginTimeout,
        format!("upstream {upstream} did not answer in time"),
    )
}

/// What a failure of the blob store or of a transfer means for the client.
pub(crate) fn of_blobs(upstream: &str, error: blobs::Error, missing: ErrorKind) -> Failure {
    let internal = |what: &str| ApiError::new(ErrorKind::Internal, what);
    match error {
        blobs::Error::Unsatisfiable(size) => Failure {
            error: ApiError::new(
                ErrorKind::RangeUnsatisfiable,
                format!("the object has {size} bytes"),
            ),
            fields: vec![("content-range", unsatisfied_range(size))],
        },
        blobs::Error::Refused(refusal) => refused(upstream, refusal.status, missing).into(),
        blobs::Error::Busy(seconds) => Failure {
            error: ApiError::new(ErrorKind::Unavailable, "too many transfers are running"),
            fields: vec![("retry-after", seconds.to_string())],
        },
        blobs::Error::Unreachable(why) => {
            eprintln!("upstream {upstream}: {why}");
            unconnected(upstream).into()
        }
        blobs::Error::Timeout => late(upstream).into(),
        blobs::Error::Mismatch => origin_failed(
            upstream,
            "sent bytes that are not what their digest promised",
        )
        .into(),
        blobs::Error::TooLarge => {
            origin_failed(upstream, "sent more bytes than this mirror takes").into()
        }
        blobs::Error::InvalidDigest => {
            ApiError::new(ErrorKind::DigestInvalid, "the digest is not supported").into()
        }
        blobs::Error::NoSpace => internal("the store has no room").into(),
        blobs::Error::Offset(_) | blobs::Error::Unsupported => {
            internal("the store cannot do that").into()
        }
        blobs::Error::Other(why) => {
            eprintln!("the store failed: {why}");
            internal("the store failed").into()
        }
    }
}

/// Whether the origin could not be asked, so that what is known may serve.
pub(crate) const fn is_outage(error: &ApiError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::OriginFailed | ErrorKind::OriginTimeout | ErrorKind::Unavailable
    )
}

/// The first value of a field.
pub(crate) fn value_of(fields: &[(String, Vec<u8>)], name: &str) -> Option<String> {
    let found = fields
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    String::from_utf8(found.1.clone()).ok()
}
