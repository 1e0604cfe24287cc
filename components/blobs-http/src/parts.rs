//! Several parts of what is stored as one body. A bucket answers one range a request, so parts that lie close
//! to each other are asked for together.

use crate::answer::Found;
use crate::bindings::exports::ledge::edge::blobs::Error;
use crate::bindings::wasi::http::types::Response;
use crate::call::Fields;
use crate::fault::StoreError;
use crate::sent::{Cutter, Sent, stretches};
use crate::serve::malformed;
use crate::settings::Settings;
use crate::store;
use crate::wire::{self, Body, Outgoing};
use ledge_core::digest::Digest;
use ledge_core::range::{ByteRange, Span};
use std::ops::Range;
use std::rc::Rc;

/// Answers with these parts. If the store breaks off, so does the body.
pub(crate) fn send(
    settings: &Rc<Settings>,
    digest: &Digest,
    sent: Sent,
    (status, fields): (u16, Fields),
) -> Result<Response, Error> {
    let (body, incoming) = Outgoing::new();
    let response = wire::respond(status, &fields, Some(incoming)).ok_or_else(malformed)?;
    let (settings, digest) = (settings.clone(), digest.clone());
    wit_bindgen::spawn_local(async move {
        if let Err(error) = copy(&settings, &digest, sent, body).await {
            eprintln!("parts of {digest} were cut off: {error}");
        }
    });
    Ok(response)
}

async fn copy(
    settings: &Settings,
    digest: &Digest,
    sent: Sent,
    mut body: Outgoing,
) -> Result<(), StoreError> {
    let spans = match &sent {
        Sent::Parts(_, spans) => spans.clone(),
        _ => Vec::new(),
    };
    let mut cutter = Cutter::new(sent);
    for stretch in stretches(&spans) {
        let until = stretch.end;
        let spans = &spans[stretch];
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
            continue;
        };
        let span = Span {
            start: first.start,
            end: last.end,
        };
        let (at, mut pieces) = open(settings, digest, span).await?;
        cutter.seek(at, until);
        if !pass(&mut pieces, at..span.end, &mut cutter, &mut body).await? {
            return Ok(());
        }
    }
    if body.write(cutter.end()).await {
        body.finish();
    }
    Ok(())
}

/// The bytes of a stretch, and which of the object's is the first.
async fn open(settings: &Settings, digest: &Digest, span: Span) -> Result<(u64, Body), StoreError> {
    let range = ByteRange::Between(span.start, span.end - 1);
    let (found, reply) = store::get(settings, digest, Some(range)).await?;
    let at = match found {
        Found::Part(span, _) => span.start,
        // It knows no ranges.
        Found::Whole(_) => 0,
        _ => return Err(StoreError::Malformed("the object went")),
    };
    Ok((at, reply.body()))
}

/// Passes on what is wanted of these bytes. False if the client has gone.
async fn pass(
    pieces: &mut Body,
    bytes: Range<u64>,
    cutter: &mut Cutter,
    body: &mut Outgoing,
) -> Result<bool, StoreError> {
    let mut at = bytes.start;
    while at < bytes.end {
        let piece = pieces.piece().await?;
        let piece = piece.ok_or(StoreError::Malformed("it sent less than it said"))?;
        at = at.saturating_add(piece.len() as u64);
        let cut = cutter.cut(&piece);
        if !cut.is_empty() && !body.write(cut).await {
            return Ok(false);
        }
    }
    Ok(true)
}
