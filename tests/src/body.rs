//! Bodies of the kit's servers: whole, scripted, or paced.

use std::future::ready;
use std::io;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;

use crate::ending::Ending;
use crate::gate::Gate;

/// A body of any of the kit's servers.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// All the bytes at once.
#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// The pieces of a stream.
pub fn streamed(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

/// The first `length` bytes, and then the connection is cut.
#[must_use]
pub fn truncated(bytes: &Bytes, length: usize, ending: Ending) -> Body {
    let head = bytes.slice(..length.min(bytes.len()));
    let cut = stream::once(async move {
        ending.sent().await;
        Err(io::ErrorKind::ConnectionReset.into())
    });
    streamed(stream::once(ready(Ok(head))).chain(cut))
}

/// The first `length` bytes, and the rest when the gate lets it pass.
#[must_use]
pub fn gated(bytes: &Bytes, length: usize, gate: Gate) -> Body {
    let (head, tail) = (
        bytes.slice(..length.min(bytes.len())),
        bytes.slice(length.min(bytes.len())..),
    );
    let tail = stream::once(async move { gate.pass().await.map(|()| tail) });
    streamed(stream::once(ready(Ok(head))).chain(tail))
}

/// The first `length` bytes, and then the connection is reset.
#[must_use]
pub fn reset(bytes: &Bytes, length: usize, ending: Ending) -> Body {
    let head = bytes.slice(..length.min(bytes.len()));
    let reset = stream::once(async move {
        ending.sent().await;
        ending.reset();
        Err(io::ErrorKind::ConnectionReset.into())
    });
    streamed(stream::once(ready(Ok(head))).chain(reset))
}

/// All the bytes, and then the connection is closed, which no header said.
#[must_use]
pub fn last(bytes: Bytes, ending: Ending) -> Body {
    // The header is on its way when the body is asked for.
    streamed(stream::once(async move {
        ending.finish();
        Ok(bytes)
    }))
}

/// A body that keeps `guard` until it was sent or given up.
#[must_use]
pub fn holding(body: Body, guard: impl Send + 'static) -> Body {
    body.map_frame(move |frame| {
        let _held = &guard;
        frame
    })
    .boxed_unsync()
}
