//! The server's own answers, in the shape of the OCI distribution
//! specification 1.1, "Error Codes".

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;

use crate::Handler;

/// Connections come free quickly, and a client of a mirror has other places to ask.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

const BUSY: &str =
    r#"{"errors":[{"code":"UNAVAILABLE","message":"too many connections; try again"}]}"#;
const FAILED: &str = r#"{"errors":[{"code":"UNKNOWN","message":"internal error"}]}"#;

/// Answers every request with 503.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy;

impl Handler for Busy {
    type Body = Full<Bytes>;

    async fn handle(&self, _: Request<Incoming>, _: SocketAddr) -> Response<Full<Bytes>> {
        let (parts, text) = busy();
        Response::from_parts(parts, Full::new(text))
    }
}

/// The answer when something of ours failed; what it was is in the log.
pub(crate) fn failed() -> (http::response::Parts, Bytes) {
    json(StatusCode::INTERNAL_SERVER_ERROR, FAILED)
}

fn busy() -> (http::response::Parts, Bytes) {
    let (mut parts, text) = json(StatusCode::SERVICE_UNAVAILABLE, BUSY);
    parts.headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    (parts, text)
}

fn json(status: StatusCode, text: &'static str) -> (http::response::Parts, Bytes) {
    let (mut parts, _) = Response::new(Empty::<Bytes>::new()).into_parts();
    parts.status = status;
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    (parts, Bytes::from_static(text.as_bytes()))
}
