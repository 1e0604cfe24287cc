//! What an origin's answer means: bytes, a refusal, or a range that it has not.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Limited};
use ledge_origin::OriginBody;
use tokio::time::{Instant, timeout_at};

use crate::error::{FillError, Refusal};
use crate::reply::{content_length, content_range, unsatisfied};
use crate::supply::Portion;

/// How much of a refusal's body is kept: the bound that `ledge:edge/blobs` promises.
const REFUSAL_BYTES: usize = 64 * 1024;

/// An answer that has bytes.
pub(crate) struct Opened {
    /// Which bytes; the end is `u64::MAX` where the origin does not say.
    pub(crate) span: Range<u64>,
    /// The object's size, if the origin says it.
    pub(crate) size: Option<u64>,
    /// Whether the origin answered a range with that range.
    pub(crate) ranged: bool,
    /// Which endpoint answered: its place in the order of asking, or [`NEARBY`](crate::supply::NEARBY).
    pub(crate) endpoint: usize,
    pub(crate) headers: HeaderMap,
    pub(crate) body: UnsyncBoxBody<Bytes, FillError>,
}

/// How long a refusal's body may take: its status is what matters, and clients wait.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// Why an endpoint brings no bytes.
pub(crate) enum Fault {
    /// It cannot answer this range; it may have the whole.
    Range(FillError),
    Other(FillError),
}

impl From<FillError> for Fault {
    fn from(error: FillError) -> Self {
        Self::Other(error)
    }
}

impl From<Fault> for FillError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Range(error) | Fault::Other(error) => error,
        }
    }
}

fn another_range() -> Fault {
    let why = "the origin answered with another range than it was asked for";
    Fault::Range(FillError::Unreachable(why.to_owned()))
}

pub(crate) fn whole<B>(response: Response<B>, endpoint: usize) -> Result<Opened, Fault>
where
    B: Body<Data = Bytes, Error: Into<FillError>> + Send + 'static,
{
    let (head, body) = response.into_parts();
    let size = content_length(&head.headers);
    Ok(Opened {
        span: 0..size.unwrap_or(u64::MAX),
        size,
        ranged: false,
        endpoint,
        headers: head.headers,
        body: boxed(body),
    })
}

pub(crate) fn part<B>(
    response: Response<B>,
    endpoint: usize,
    portion: Portion,
) -> Result<Opened, Fault>
where
    B: Body<Data = Bytes, Error: Into<FillError>> + Send + 'static,
{
    let (head, body) = response.into_parts();
    let (span, size) = content_range(&head.headers).ok_or_else(another_range)?;
    let Portion::Range(range) = portion else {
        return Err(another_range());
    };
    let asked = range.resolve(size).ok_or_else(another_range)?;
    // It may be shorter than asked for, but must start there.
    if span.start != asked.start || span.end > asked.end {
        return Err(another_range());
    }
    Ok(Opened {
        span,
        size: Some(size),
        ranged: true,
        endpoint,
        headers: head.headers,
        body: boxed(body),
    })
}

fn boxed<B>(body: B) -> UnsyncBoxBody<Bytes, FillError>
where
    B: Body<Data = Bytes, Error: Into<FillError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

pub(crate) fn beyond(response: &Response<OriginBody>) -> Fault {
    let size = unsatisfied(response.headers());
    size.map_or_else(another_range, |size| {
        Fault::Range(FillError::Unsatisfiable(size))
    })
}

pub(crate) async fn refusal(response: Response<OriginBody>, origin: usize) -> Refusal {
    let (head, body) = response.into_parts();
    Refusal {
        status: head.status,
        headers: head.headers,
        body: start_of(body).await,
        origin,
    }
}

/// The body's first bytes, as far as they come in time: a refusal needs no more.
async fn start_of(body: OriginBody) -> Bytes {
    let mut body = Limited::new(body, REFUSAL_BYTES);
    let mut kept = Vec::new();
    let end = Instant::now() + REFUSAL_TIME;
    while let Ok(Some(Ok(frame))) = timeout_at(end, body.frame()).await {
        if let Ok(data) = frame.into_data() {
            kept.extend_from_slice(&data);
        }
    }
    kept.into()
}
