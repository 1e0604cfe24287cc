//! Where a transfer gets its bytes, and what an origin's answer to it means.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use ledge_origin::{Client, OriginBody};

use crate::error::{FillError, Refusal};
use crate::renew::Renew;

/// How much of a refusal's body is kept: the bound that `ledge:edge/blobs` promises.
const REFUSAL_BYTES: usize = 64 * 1024;

/// Bodiless GETs for the same bytes, best first.
pub struct Source {
    /// One request an endpoint.
    pub origins: Vec<Request<()>>,
    /// Makes them again when they are refused in mid-transfer; `None` if nobody can.
    pub renew: Option<Arc<dyn Renew>>,
}

/// Says how many requests there are: they may carry credentials.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("origins", &self.origins.len())
            .finish_non_exhaustive()
    }
}

impl Source {
    /// The first origin's 200, or why there is none. What another endpoint may
    /// do better (a 5xx, no connection) is asked of the next one; what is an
    /// answer (a 404, say) is final.
    pub(crate) async fn open(&self, client: &Client) -> Result<Response<OriginBody>, FillError> {
        let mut last = FillError::Request("the source names no origin".to_owned());
        for (origin, request) in self.origins.iter().enumerate() {
            last = match client.fetch(request.clone()).await {
                Ok(fetched) if fetched.response.status() == StatusCode::OK => {
                    return accept(fetched.response);
                }
                Ok(fetched) => {
                    let refusal = refusal(fetched.response, origin).await;
                    let last_word = is_final(refusal.status);
                    let error = FillError::Refused(Box::new(refusal));
                    if last_word {
                        return Err(error);
                    }
                    error
                }
                Err(error) => error.into(),
            };
        }
        Err(last)
    }
}

/// Whether an answer is one that no other endpoint is asked after.
fn is_final(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::TOO_MANY_REQUESTS
    )
}

/// Refuses an answer whose bytes are encoded: a digest is of the plain ones
/// (OCI distribution specification 1.1, "Pulling blobs"), and identity was asked for.
fn accept(response: Response<OriginBody>) -> Result<Response<OriginBody>, FillError> {
    match response.headers().get(CONTENT_ENCODING) {
        Some(coding) if coding != "identity" => Err(FillError::Mismatch(format!(
            "the origin encoded them as {coding:?}"
        ))),
        _ => Ok(response),
    }
}

async fn refusal(response: Response<OriginBody>, origin: usize) -> Refusal {
    let (head, body) = response.into_parts();
    Refusal {
        status: head.status,
        headers: head.headers,
        body: start_of(body).await,
        origin,
    }
}

/// The body's first bytes, as far as they come: a refusal needs no more.
async fn start_of(body: OriginBody) -> Bytes {
    let mut body = Limited::new(body, REFUSAL_BYTES);
    let mut kept = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            kept.extend_from_slice(&data);
        }
    }
    kept.into()
}

/// The announced length (RFC 9110, section 8.6), if there is exactly one and it is digits.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let text = values.next()?.to_str().ok()?;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits && values.next().is_none()).then(|| text.parse().ok())?
}
