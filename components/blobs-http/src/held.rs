//! What was fetched and could not be stored, because the store is away: a manifest goes to whoever asked for it all
//! the same. An instance holds one, until the next.

use crate::answer::{self, Way};
use crate::bindings::exports::ledge::edge::blobs::Error;
use crate::call::Fields;
use crate::sent::Cutter;
use crate::serve::{Served, described, malformed, wanted};
use crate::wire::{self, Outgoing, PIECE};
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use std::cell::RefCell;
use std::rc::Rc;

#[derive(Clone)]
struct Held {
    digest: Digest,
    media_type: Option<String>,
    bytes: Rc<[u8]>,
}

thread_local! {
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Holds verified bytes in place of those held before.
pub(crate) fn hold(digest: Digest, media_type: Option<String>, bytes: Vec<u8>) {
    let held = Held {
        digest,
        media_type,
        bytes: bytes.into(),
    };
    HELD.set(Some(held));
}

/// The bytes that are held, if they are these.
pub(crate) fn read(digest: &Digest) -> Option<Vec<u8>> {
    held(digest).map(|held| held.bytes.to_vec())
}

/// Forgets these bytes.
pub(crate) fn forget(digest: &Digest) {
    HELD.with_borrow_mut(|held| {
        held.take_if(|held| held.digest == *digest);
    });
}

fn held(digest: &Digest) -> Option<Held> {
    HELD.with_borrow(|held| held.clone().filter(|held| held.digest == *digest))
}

/// An answer with what is held, if it is that.
pub(crate) fn get(
    digest: &Digest,
    ranges: &[ByteRange],
    fields: Fields,
) -> Result<Option<Served>, Error> {
    let Some(held) = held(digest) else {
        return Ok(None);
    };
    let size = held.bytes.len() as u64;
    let sent = wanted(ranges, size, &fields)?;
    let (status, fields) = answer::header(fields, Way::Past, &sent, Some(size));
    let (mut body, incoming) = Outgoing::new();
    let response = wire::respond(status, &fields, Some(incoming)).ok_or_else(malformed)?;
    wit_bindgen::spawn_local(async move {
        let mut cutter = Cutter::new(sent);
        // In small pieces: many clients may take them slowly.
        for piece in held.bytes.chunks(PIECE) {
            if !body.write(cutter.cut(piece)).await {
                return;
            }
        }
        let end = cutter.end();
        if end.is_empty() || body.write(end).await {
            body.finish();
        }
    });
    let what = described(digest, Some(size), held.media_type);
    Ok(Some(Served { response, what }))
}
