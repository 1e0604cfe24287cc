//! Asking origins, one after the other.

use crate::bindings::exports::ledge::edge::blobs::{Error, Field, Refusal};
use crate::bindings::wasi::http::client;
use crate::bindings::wasi::http::types::{ErrorCode, Request, Response};
use crate::bindings::wit_future;

/// Longer refusals are cut (`blobs.refusal`).
const REFUSAL: u64 = 64 << 10;

/// Bytes read at a time.
const PIECE: usize = 64 << 10;

/// An origin's whole answer.
pub(crate) struct Fetched {
    pub(crate) body: Vec<u8>,
    pub(crate) media_type: Option<String>,
    pub(crate) fields: Vec<Field>,
}

/// The answer of the first origin that has the object, at most `max` bytes.
pub(crate) async fn first(origins: Vec<Request>, max: u64) -> Result<Fetched, Error> {
    let mut last = Error::Other("a source without an origin".to_owned());
    for (index, request) in (0..).zip(origins) {
        match one(index, request, max).await {
            Ok(fetched) => return Ok(fetched),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether no other origin is to be asked (`blobs.error.refused`).
fn is_final(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => matches!(refusal.status, 401 | 403 | 404 | 410 | 429),
        Error::TooLarge => true,
        _ => false,
    }
}

async fn one(index: u32, request: Request, max: u64) -> Result<Fetched, Error> {
    let response = client::send(request)
        .await
        .map_err(|error| unreachable(&error))?;
    let status = response.get_status_code();
    let fields = response.get_headers().copy_all();
    if status != 200 {
        let body = body(response, REFUSAL).await.unwrap_or_default();
        return Err(Error::Refused(Refusal {
            status,
            fields,
            body,
            origin: index,
        }));
    }
    let body = body(response, max).await?;
    Ok(Fetched {
        body,
        media_type: media_type(&fields),
        fields,
    })
}

async fn body(response: Response, max: u64) -> Result<Vec<u8>, Error> {
    let (processed, result) = wit_future::new(|| Ok(()));
    drop(processed);
    let (mut stream, trailers) = Response::consume_body(response, result);
    let mut body = Vec::new();
    loop {
        let (state, piece) = stream.read(Vec::with_capacity(PIECE)).await;
        body.extend_from_slice(&piece);
        if body.len() as u64 > max {
            return Err(Error::TooLarge);
        }
        if piece.is_empty() && !matches!(state, wit_bindgen::StreamResult::Complete(_)) {
            break;
        }
    }
    // The end of the stream says nothing; the trailers tell whether it was cut.
    trailers.await.map_err(|error| unreachable(&error))?;
    Ok(body)
}

fn media_type(fields: &[Field]) -> Option<String> {
    let value = fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))?;
    String::from_utf8(value.1.clone()).ok()
}

/// For people, and without a secret: the kind of error names no URL.
fn unreachable(error: &ErrorCode) -> Error {
    match error {
        ErrorCode::ConnectionTimeout | ErrorCode::HttpResponseTimeout => Error::Timeout,
        other => Error::Unreachable(format!("the origin did not answer: {other:?}")),
    }
}
