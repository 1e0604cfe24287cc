//! Answers a node that asks this one for what it fetches for all.

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, AUTHORIZATION, CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Empty};
use ledge_core::digest::Digest;
use ledge_core::range::{ByteRange, Selection};
use ledge_transfer::{Answer, AnswerBody, Transfers};

use crate::holding::Holdings;

/// Before every path that is not for clients.
const PREFIX: &str = "/_ledge/objects/";

/// An answer to another node: an object's bytes, or none.
pub type SharedBody = Either<AnswerBody, Empty<Bytes>>;

/// Where an object is, at any node.
pub(crate) fn path(digest: &Digest) -> String {
    format!("{PREFIX}{digest}")
}

/// Whether a request is a node's.
pub(crate) fn is_for_nodes<B>(request: &Request<B>) -> bool {
    request.uri().path().starts_with(PREFIX)
}

/// The object, from the store or as it comes. Who shows no pass for it learns nothing: all is a 404.
pub(crate) async fn answer<B>(
    transfers: &Transfers,
    holdings: &Holdings,
    request: &Request<B>,
) -> Response<SharedBody> {
    let Some((digest, range)) = wanted(holdings, request) else {
        return empty(StatusCode::NOT_FOUND);
    };
    match transfers.share(&digest, range.as_slice()).await {
        Ok(Some(answer)) => full(answer),
        Ok(None) => empty(StatusCode::NOT_FOUND),
        Err(error) => {
            tracing::debug!(%digest, %error, "another node is told that there is nothing");
            empty(StatusCode::BAD_GATEWAY)
        }
    }
}

/// What it asks for, if it may.
fn wanted<B>(holdings: &Holdings, request: &Request<B>) -> Option<(Digest, Option<ByteRange>)> {
    let digest = request.uri().path().strip_prefix(PREFIX)?;
    let digest = Digest::parse(digest).ok()?;
    let shown = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let is_let_in =
        request.method() == Method::GET && holdings.admit(&digest, shown.strip_prefix("Bearer ")?);
    is_let_in.then(|| (digest, range(request.headers())))
}

/// One range; of several, which no node asks for, the whole is sent.
fn range(headers: &HeaderMap) -> Option<ByteRange> {
    let text = headers.get(RANGE)?.to_str().ok()?;
    match ByteRange::parse_field(text).as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

fn full(answer: Answer) -> Response<SharedBody> {
    let mut response = Response::new(Either::Left(answer.body));
    if let (Selection::One(span), Some(size)) = (&answer.selection, answer.size) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(value) = HeaderValue::try_from(span.content_range(size)) {
            response.headers_mut().insert(CONTENT_RANGE, value);
        }
    }
    let units = HeaderValue::from_static("bytes");
    response.headers_mut().insert(ACCEPT_RANGES, units);
    response
}

fn empty(status: StatusCode) -> Response<SharedBody> {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = status;
    response
}
