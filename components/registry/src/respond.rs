//! Responses that the component itself makes: small ones.

use crate::ask::field;
use crate::bindings::wasi::http::types::{ErrorCode, Fields as Headers, Response};
use crate::bindings::{wit_future, wit_stream};
use crate::failure::Failure;

/// Header fields, names lowercase.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

/// Every answer says which API it speaks.
const API_VERSION: (&str, &str) = ("docker-distribution-api-version", "registry/2.0");

/// A response with a small body, or none.
pub(crate) fn small(status: u16, mut fields: Fields, body: Vec<u8>) -> Result<Response, ErrorCode> {
    fields.push(field("content-length", &body.len().to_string()));
    bare(status, fields, Some(body))
}

/// The answer to a HEAD of an object of which only the descriptor is known.
pub(crate) fn header_only(mut fields: Fields, size: Option<u64>) -> Result<Response, ErrorCode> {
    if let Some(size) = size {
        fields.push(field("content-length", &size.to_string()));
    }
    bare(200, fields, None)
}

/// A failure as the client sees it.
pub(crate) fn failure(failure: Failure) -> Result<Response, ErrorCode> {
    let error = failure.error;
    let mut fields = vec![field("content-type", ledge_core::error::MEDIA_TYPE)];
    let given = failure.fields.iter();
    fields.extend(given.map(|(name, value)| field(name, value)));
    small(error.kind().status(), fields, error.body())
}

fn bare(status: u16, mut fields: Fields, body: Option<Vec<u8>>) -> Result<Response, ErrorCode> {
    fields.push(field(API_VERSION.0, API_VERSION.1));
    let headers = Headers::from_list(&fields).map_err(|error| broken(&error))?;
    let contents = body.filter(|b| !b.is_empty()).map(stream);
    // Dropping the writer ends the trailers: there are none.
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(headers, contents, trailers);
    response
        .set_status_code(status)
        .map_err(|()| broken(&"no status"))?;
    Ok(response)
}

/// A stream of these bytes. It is written while the host reads, after the
/// handler returned.
fn stream(body: Vec<u8>) -> wit_bindgen::rt::async_support::StreamReader<u8> {
    let (mut writer, reader) = wit_stream::new();
    wit_bindgen::spawn_local(async move {
        // What the client did not want to read is nobody's fault.
        drop(writer.write_all(body).await);
    });
    reader
}

fn broken(error: &dyn std::fmt::Debug) -> ErrorCode {
    ErrorCode::InternalError(Some(format!("the response could not be made: {error:?}")))
}
