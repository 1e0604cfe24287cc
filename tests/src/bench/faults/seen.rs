//! What a client sees of an answer.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use bytes::{Bytes, BytesMut};

use crate::http::{Request, Streaming};

/// What became of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saw {
    /// The right bytes, to the announced end.
    Right,
    /// An end before the announced one, or no answer at all: nobody takes it for a success.
    Cut,
    /// Other bytes, to the announced end.
    Wrong,
    /// Nothing more, for as long as it waited.
    Hung,
    /// An error.
    Refused,
    /// Another address.
    Redirected,
    /// It hung up itself.
    Left,
}

/// What the client saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// 0 if there was no answer.
    pub(super) status: u16,
    pub(super) saw: Saw,
}

/// What a mirror gives with its origin gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// The right bytes.
    Right,
    /// No bytes that anybody takes for the blob.
    Nothing,
    /// Wrong bytes, as if they were right.
    Wrong,
}

impl Seen {
    /// What it says of the store, when the origin could not help.
    pub(super) fn stored(self) -> Stored {
        match self.saw {
            Saw::Right => Stored::Right,
            Saw::Wrong => Stored::Wrong,
            _ => Stored::Nothing,
        }
    }
}

/// Waits for the answer, at most so long, and compares it with the blob.
///
/// A `range` may be answered with itself or, as RFC 9110 allows, with the whole.
pub(super) async fn look(
    request: Request,
    blob: &Bytes,
    range: Option<Range<usize>>,
    patience: Duration,
) -> Seen {
    let mut status = 0;
    let looked = tokio::time::timeout(patience, async {
        let mut answer = request.send().await?;
        status = answer.status;
        let body = collect(&mut answer, blob.len()).await?;
        anyhow::Ok(body)
    });
    let saw = match looked.await {
        Err(_) => Saw::Hung,
        // An error is one, whatever becomes of its text.
        Ok(Err(_)) if status >= 400 => Saw::Refused,
        Ok(Err(_)) => Saw::Cut,
        Ok(Ok(body)) => judge(status, &body, blob, range),
    };
    Seen { status, saw }
}

/// Some more than the blob is as wrong as all of it.
async fn collect(answer: &mut Streaming, most: usize) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            break;
        }
    }
    Ok(body.freeze())
}

fn judge(status: u16, body: &Bytes, blob: &Bytes, range: Option<Range<usize>>) -> Saw {
    let expected = match (status, range) {
        (200, _) => blob.clone(),
        (206, Some(range)) => blob.slice(range),
        (300..=399, _) => return Saw::Redirected,
        (400.., _) => return Saw::Refused,
        _ => return Saw::Wrong,
    };
    if *body == expected {
        Saw::Right
    } else {
        Saw::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_their_status() {
        let blob = Bytes::from_static(b"0123456789");
        for (status, body, range, expected) in [
            (200, "0123456789", None, Saw::Right),
            (200, "012345678", None, Saw::Wrong),
            (200, "0123456789", Some(2..4), Saw::Right),
            (206, "23", Some(2..4), Saw::Right),
            (206, "24", Some(2..4), Saw::Wrong),
            (206, "0123456789", None, Saw::Wrong),
            (307, "", None, Saw::Redirected),
            (502, "no", None, Saw::Refused),
            (204, "", None, Saw::Wrong),
        ] {
            let body = Bytes::from_static(body.as_bytes());
            assert_eq!(
                judge(status, &body, &blob, range.clone()),
                expected,
                "{status} {range:?}"
            );
        }
    }
}
