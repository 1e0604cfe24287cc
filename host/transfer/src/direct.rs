//! Bytes straight from the origin, for followers that the disk cannot serve.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use ledge_core::digest::Digest;

use crate::stream::OriginStream;
use crate::transfer::HELD_BACK;
use crate::turns::Turn;
use ledge_core::hash::Hasher;

/// The rest of an object, or of a range of it.
pub(crate) struct Direct {
    _turn: Turn,
    stream: OriginStream,
    /// The byte after the last; `u64::MAX` is the object's end, wherever that is.
    end: u64,
    check: Option<Check>,
}

/// A whole object is verified here too: its last bytes wait.
struct Check {
    digest: Digest,
    /// Of all bytes before those of the stream, and of these.
    hasher: Hasher,
    held: VecDeque<Bytes>,
    length: u64,
}

impl Direct {
    /// A range: nothing stands behind its bytes.
    pub(crate) fn range(turn: Turn, stream: OriginStream, end: u64) -> Self {
        Self {
            _turn: turn,
            stream,
            end,
            check: None,
        }
    }

    /// The rest of a whole object, of which `hasher` has seen what was before.
    pub(crate) fn whole(
        turn: Turn,
        stream: OriginStream,
        end: u64,
        digest: Digest,
        hasher: Hasher,
    ) -> Self {
        let check = Check {
            digest,
            hasher,
            held: VecDeque::new(),
            length: 0,
        };
        Self {
            _turn: turn,
            stream,
            end,
            check: Some(check),
        }
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let came = self.stream.next(self.end).await.map_err(io::Error::other)?;
            match (came, &mut self.check) {
                (came, None) => return Ok(came.map(|(_, bytes)| bytes)),
                (Some((_, bytes)), Some(check)) => {
                    if let Some(bytes) = check.exchange(bytes) {
                        return Ok(Some(bytes));
                    }
                }
                (None, Some(check)) => return check.last(),
            }
        }
    }
}

impl Check {
    /// Takes new bytes, and releases the oldest once enough others wait.
    fn exchange(&mut self, bytes: Bytes) -> Option<Bytes> {
        self.hasher.update(&bytes);
        self.length += bytes.len() as u64;
        self.held.push_back(bytes);
        let oldest = self.held.front()?.len() as u64;
        if self.length - oldest < HELD_BACK {
            return None;
        }
        self.length -= oldest;
        self.held.pop_front()
    }

    /// What waited, if the digest is right.
    fn last(&mut self) -> io::Result<Option<Bytes>> {
        let found = self.hasher.digest();
        if found != self.digest {
            let text = format!("the origin's bytes are those of {found}");
            return Err(io::Error::other(text));
        }
        Ok(self.held.pop_front())
    }
}
