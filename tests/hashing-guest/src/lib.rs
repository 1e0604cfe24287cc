//! A component that hashes as the data plane over HTTP does, and tells how long it took.
//!
//! `GET /N` hashes N MiB of sevens and answers 204 with two fields: `digest`, and `nanoseconds`, of hashing alone, by the
//! guest's own clock.

mod bindings;

use std::time::Instant;

use bindings::exports::wasi::http::handler;
use bindings::wasi::http::types::{ErrorCode, Fields, Request, Response};
use bindings::wit_future;
use ledge_core::digest::Algorithm;
use ledge_core::hash::Hasher;

/// As much as a piece of a layer that the data plane reads at a time.
const PIECE: usize = 128 << 10;

/// Pieces in a MiB.
const PIECES: u32 = (1 << 20) / PIECE as u32;

/// What the component exports.
#[derive(Debug)]
pub struct Guest;

impl handler::Guest for Guest {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        match path.trim_start_matches('/').parse() {
            Ok(mebibytes) => answer(204, &hashed(mebibytes)),
            Err(_) => answer(404, &[]),
        }
    }
}

fn hashed(mebibytes: u32) -> [(String, Vec<u8>); 2] {
    let piece = vec![7; PIECE];
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let started = Instant::now();
    for _ in 0..mebibytes.saturating_mul(PIECES) {
        hasher.update(&piece);
    }
    let digest = hasher.digest();
    let took = started.elapsed().as_nanos();
    let field = |name: &str, value: String| (name.to_owned(), value.into_bytes());
    [
        field("digest", digest.to_string()),
        field("nanoseconds", took.to_string()),
    ]
}

fn answer(status: u16, fields: &[(String, Vec<u8>)]) -> Result<Response, ErrorCode> {
    let fields = Fields::from_list(fields).map_err(|_| ErrorCode::InternalError(None))?;
    // Dropping the writer ends the trailers: there are none.
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(fields, None, trailers);
    match response.set_status_code(status) {
        Ok(()) => Ok(response),
        Err(()) => Err(ErrorCode::InternalError(None)),
    }
}
