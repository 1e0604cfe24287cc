//! An origin's answers, good ones and scripted ones.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use serde_json::json;

use crate::body::{self, Body};
use crate::images::Object;
use crate::script::Act;

/// The media type of an origin's JSON.
pub(super) const JSON: &str = "application/json";

/// The answer of an origin that behaves.
pub(super) struct Good {
    status: u16,
    fields: BTreeMap<&'static str, String>,
    body: Bytes,
}

impl Good {
    pub(super) fn new(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            fields: [("content-type", media_type.to_owned())].into(),
            body: body.into(),
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

    fn send(self, body: Body) -> Response<Body> {
        let mut response = Response::builder()
            .status(self.status)
            .header("content-length", self.body.len());
        for (name, value) in &self.fields {
            response = response.header(*name, value);
        }
        response
            .body(body)
            .unwrap_or_else(|error| Response::new(body::full(error.to_string())))
    }
}

/// A blob has no media type of its own.
pub(super) fn blob(object: &Object) -> Good {
    Good::object(object).field("content-type", "application/octet-stream")
}

/// The specification's error.
pub(super) fn missing(code: &str) -> Good {
    Good::new(
        404,
        JSON,
        json!({ "errors": [{ "code": code, "message": "not here" }] }).to_string(),
    )
}

/// The answer, after what the script does to it.
pub(super) async fn apply(act: Option<Act>, mut good: Good) -> Response<Body> {
    let bytes = good.body.clone();
    match act {
        None => good.send(body::full(bytes)),
        Some(Act::Status(status, text)) => Good::new(status, JSON, text).send(body::full(text)),
        Some(Act::Redirect(to)) => Good::new(307, "text/plain", "")
            .field("location", &to)
            .send(body::full("")),
        Some(Act::Tamper) => good.send(body::full(tampered(&bytes))),
        Some(Act::Truncate(length)) => good.send(body::truncated(&bytes, length)),
        Some(Act::Stall(length, gate)) => good.send(body::gated(&bytes, length, gate)),
        Some(Act::Hold(gate)) => match gate.pass().await {
            Ok(()) => good.send(body::full(bytes)),
            Err(_) => good.send(body::truncated(&bytes, 0)),
        },
        Some(Act::Digest(digest)) => {
            good.fields.remove("docker-content-digest");
            good.fields
                .extend(digest.map(|digest| ("docker-content-digest", digest)));
            good.send(body::full(bytes))
        }
    }
}

fn tampered(bytes: &Bytes) -> Bytes {
    let mut wrong = bytes.to_vec();
    if let Some(last) = wrong.last_mut() {
        *last ^= 1;
    }
    wrong.into()
}
