//! An origin's answers, good ones and scripted ones.

use std::collections::BTreeMap;
use std::future::{pending, ready};

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Response};
use serde_json::json;

use super::range::{self, Part};
use crate::body::{self, Body};
use crate::ending::Ending;
use crate::images::Object;
use crate::script::Act;

/// The media type of an origin's JSON.
pub(super) const JSON: &str = "application/json";

/// The answer of an origin that behaves.
pub(super) struct Good {
    status: u16,
    fields: BTreeMap<&'static str, String>,
    body: Bytes,
    /// `None` if the body is sent in chunks.
    length: Option<u64>,
}

impl Good {
    pub(super) fn new(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            status,
            fields: [("content-type", media_type.to_owned())].into(),
            length: Some(body.len() as u64),
            body,
        }
    }

    pub(super) fn object(object: &Object) -> Self {
        Self::new(200, &object.media_type, object.bytes.clone())
            .field("docker-content-digest", &object.digest)
    }

    pub(super) fn field(mut self, name: &'static str, value: &str) -> Self {
        self.fields.insert(name, value.to_owned());
        self
    }

    fn maybe(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.fields.remove(name);
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// The part of it that the request wants. Only what has a validator is given in parts.
    pub(super) fn ranged(self, headers: &HeaderMap) -> Self {
        let Some(etag) = self.fields.get("etag").filter(|_| self.status == 200) else {
            return self;
        };
        let size = self.body.len();
        match range::part(headers, etag, size) {
            Part::Whole => self,
            Part::Span(span) => {
                let field = format!("bytes {}-{}/{size}", span.start, span.end - 1);
                let (status, length) = (206, Some(span.len() as u64));
                let body = self.body.slice(span);
                Self {
                    status,
                    body,
                    length,
                    ..self
                }
                .field("content-range", &field)
            }
            Part::Unsatisfiable => Self::new(416, JSON, r#"{"errors":[{"code":"RANGE_INVALID"}]}"#)
                .field("content-range", &format!("bytes */{size}")),
        }
    }

    fn send(self, body: Body) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        if let Some(length) = self.length {
            response = response.header("content-length", length);
        }
        for (name, value) in &self.fields {
            response = response.header(*name, value);
        }
        response
            .body(body)
            .unwrap_or_else(|error| Response::new(body::full(error.to_string())))
    }
}

/// A blob has no media type of its own. With an ETag it may be had in parts.
pub(super) fn blob(object: &Object, in_parts: bool) -> Good {
    let good = Good::object(object).field("content-type", "application/octet-stream");
    if in_parts {
        good.field("accept-ranges", "bytes")
            .field("etag", &format!("\"{}\"", object.digest))
    } else {
        good
    }
}

/// The specification's error.
pub(super) fn missing(code: &str) -> Good {
    Good::new(
        404,
        JSON,
        json!({ "errors": [{ "code": code, "message": "not here" }] }).to_string(),
    )
}

/// The answer to a request, after what the script does to it.
pub(super) async fn apply(
    act: Option<Act>,
    whole: Good,
    headers: &HeaderMap,
    ending: Ending,
) -> Response<Body> {
    let good = match &act {
        Some(Act::IgnoreRange) => whole,
        Some(Act::Etag(etag)) => whole.maybe("etag", *etag).ranged(headers),
        _ => whole.ranged(headers),
    };
    let bytes = good.body.clone();
    match act {
        None | Some(Act::IgnoreRange | Act::Etag(_)) => good.send(body::full(bytes)),
        Some(Act::Status(status, text)) => Good::new(status, JSON, text).send(body::full(text)),
        Some(Act::Later(status, seconds)) => Good::new(status, JSON, "{}")
            .field("retry-after", &seconds.to_string())
            .send(body::full("{}")),
        Some(Act::Redirect(to)) => Good::new(307, "text/plain", "")
            .field("location", &to)
            .send(body::full("")),
        Some(Act::Tamper) => good.send(body::full(tampered(&bytes))),
        Some(Act::Truncate(length)) => good.send(body::truncated(&bytes, length, ending)),
        Some(Act::Reset(length)) => good.send(body::reset(&bytes, length, ending)),
        Some(Act::Stall(length, gate)) => good.send(body::gated(&bytes, length, gate)),
        Some(Act::Hold(gate)) => match gate.pass().await {
            Ok(()) => good.send(body::full(bytes)),
            Err(_) => good.send(body::truncated(&bytes, 0, ending)),
        },
        Some(Act::Digest(digest)) => good
            .maybe("docker-content-digest", digest.as_deref())
            .send(body::full(bytes)),
        Some(Act::Length(length)) => lengthened(good, Some(length)),
        Some(Act::Chunked) => lengthened(good, None),
        Some(Act::Close) => good.send(body::last(bytes, ending)),
        Some(Act::Fields(fields)) => {
            let with = |good: Good, (name, value): &(&'static str, &str)| good.field(name, value);
            fields.iter().fold(good, with).send(body::full(bytes))
        }
        Some(Act::HangUp) => {
            ending.close();
            pending().await
        }
    }
}

/// The same bytes under another length, which a body that knows its own would contradict.
fn lengthened(good: Good, length: Option<u64>) -> Response<Body> {
    let bytes = stream::once(ready(Ok(good.body.clone())));
    Good { length, ..good }.send(body::streamed(bytes))
}

fn tampered(bytes: &Bytes) -> Bytes {
    let mut wrong = bytes.to_vec();
    if let Some(last) = wrong.last_mut() {
        *last ^= 1;
    }
    wrong.into()
}
