//! An answer's header: the caller's fields, and those that only we can know.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue,
};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use ledge_core::range::Selection;
use ledge_transfer::{Answer, AnswerBody, Outcome};

use super::Fields;

/// RFC 9211: how a cache handled the request.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Header fields, as a guest gives them.
pub(super) fn parsed(fields: Fields) -> Result<HeaderMap, http::Error> {
    let mut headers = HeaderMap::with_capacity(fields.len() + 4);
    for (name, value) in fields {
        // The value keeps its bytes: no copy.
        headers.append(
            HeaderName::from_bytes(name.as_bytes())?,
            HeaderValue::from_maybe_shared(Bytes::from(value))?,
        );
    }
    Ok(headers)
}

/// An answer with the caller's fields, and over them those that only we can know.
pub(super) fn response(
    answer: Answer,
    mut headers: HeaderMap,
) -> Result<Response<AnswerBody>, http::Error> {
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers
        .entry(CACHE_STATUS)
        .or_insert_with(|| cache_status(answer.outcome));
    if let (Selection::One(span), Some(size)) = (&answer.selection, answer.size) {
        headers.insert(CONTENT_RANGE, span.content_range(size).try_into()?);
    }
    let body = match answer.body {
        AnswerBody::Several(parts) => {
            // The object's type goes into the parts (RFC 9110, section 15.3.7.2).
            let parts = match headers.remove(CONTENT_TYPE) {
                Some(media_type) => parts.typed(&media_type),
                None => *parts,
            };
            headers.insert(CONTENT_TYPE, parts.content_type().try_into()?);
            AnswerBody::Several(Box::new(parts))
        }
        body => body,
    };
    if let Some(length) = body.size_hint().exact() {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    let mut response = Response::new(body);
    *response.status_mut() = match answer.selection {
        Selection::Whole => StatusCode::OK,
        Selection::One(_) | Selection::Several(_) => StatusCode::PARTIAL_CONTENT,
    };
    *response.headers_mut() = headers;
    Ok(response)
}

fn cache_status(outcome: Outcome) -> HeaderValue {
    HeaderValue::from_static(match outcome {
        Outcome::Hit => "ledge; hit",
        Outcome::Started => "ledge; fwd=miss; stored",
        Outcome::Followed => "ledge; fwd=miss; collapsed",
        Outcome::Bypass => "ledge; fwd=miss",
    })
}
