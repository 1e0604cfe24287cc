//! Why a fill has no answer. Cloned to every follower of a transfer.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use ledge_origin::FetchError;
use ledge_store::StoreError;

/// An origin's final answer where that is not the object.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status it answered with.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body, cut at 64 KiB.
    pub body: Bytes,
    /// Which of the source's requests was answered so.
    pub origin: usize,
}

/// Why there is no object.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FillError {
    /// An origin answered, with something else than the object.
    #[error("the origin answered {}", .0.status)]
    Refused(Box<Refusal>),
    /// No origin could be connected to, or it broke off. For people; names no secret.
    #[error("{0}")]
    Unreachable(String),
    /// No origin answered in time.
    #[error("the origin did not answer in time")]
    Timeout,
    /// The bytes were not what the digest or the size promised.
    #[error("the origin's bytes are not those of the digest: {0}")]
    Mismatch(String),
    /// More bytes than the caller or the store takes.
    #[error("the object is larger than {0} bytes")]
    TooLarge(u64),
    /// Too many transfers; seconds after which to ask again.
    #[error("too many transfers are running")]
    Busy(u32),
    /// The store has no room for it.
    #[error("no space is left in the store")]
    NoSpace,
    /// No range can be satisfied; the object's size.
    #[error("no range lies within the object's {0} bytes")]
    Unsatisfiable(u64),
    /// Every caller left before the end. None of them sees this.
    #[error("every client left")]
    Abandoned,
    /// A client needed the turn. Only callers of [`prefetch`](crate::Transfers::prefetch) see this.
    #[error("a client needed the turn")]
    Yielded,
    /// The store failed. For people.
    #[error("{0}")]
    Store(String),
    /// The request is none that an origin can be asked with.
    #[error("{0}")]
    Request(String),
}

impl FillError {
    /// Whether another source might do better.
    pub(crate) fn is_of_the_source(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::Unreachable(_)
                | Self::Timeout
                | Self::Mismatch(_)
                | Self::Request(_)
        )
    }
}

impl From<FetchError> for FillError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Timeout { .. } => Self::Timeout,
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl From<StoreError> for FillError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSpace { .. } | StoreError::NoRoom { .. } => Self::NoSpace,
            StoreError::TooLarge { max, .. } => Self::TooLarge(max),
            other => Self::Store(other.to_string()),
        }
    }
}
