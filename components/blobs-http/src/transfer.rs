//! Bytes from an origin to a client and to the store at once, hashed as they pass.
//!
//! The last piece of a whole body waits for the digest, and for the store: who has got all bytes
//! has got the right ones, and the work is done when the response is, because some platforms stop
//! an instance then.

use crate::bindings::wasi::clocks::monotonic_clock::wait_for;
use crate::leases::Claim;
use crate::upload::Upload;
use crate::wire::{Body, Outgoing};
use futures::future::{Either, select};
use futures::join;
use ledge_core::digest::Digest;
use ledge_core::hash::Hasher;
use ledge_core::range::Span;
use std::pin::pin;

/// How long the store may take no byte, in nanoseconds: a client that gets none meanwhile still
/// waits (clients give up after half a minute and more), and a bucket that closes a part needs seconds.
const STALL: u64 = 20_000_000_000;

/// One transfer.
pub(crate) struct Transfer {
    pub(crate) digest: Digest,
    /// What the origin announced, if it did.
    pub(crate) size: Option<u64>,
    pub(crate) body: Body,
    pub(crate) client: Option<Client>,
    pub(crate) keep: Option<Keep>,
}

/// Who waits for the bytes.
pub(crate) struct Client {
    body: Outgoing,
    /// Which bytes; all if none are named.
    span: Option<Span>,
    /// The offset of the next byte that passes.
    at: u64,
}

/// Where the bytes are kept.
pub(crate) struct Keep {
    pub(crate) upload: Upload,
    pub(crate) claim: Claim,
}

impl Transfer {
    /// Runs to the end. Whether the object is stored then.
    pub(crate) async fn run(mut self) -> bool {
        match self.pass().await {
            Some(last) => self.conclude(last).await,
            None => {
                // The client's body breaks off.
                drop(self.client);
                give_up(self.keep).await;
                false
            }
        }
    }

    /// Passes on all but the last piece, which is returned if the bytes are right.
    async fn pass(&mut self) -> Option<Vec<u8>> {
        let mut hasher = Hasher::new(self.digest.algorithm());
        let (mut out, mut held) = (Vec::new(), Vec::new());
        let mut total: u64 = 0;
        loop {
            let deliver = deliver(&mut self.client, &mut self.keep, out);
            let (read, ()) = join!(self.body.piece(), deliver);
            if self.client.is_none() && self.keep.is_none() {
                return None;
            }
            match read {
                Ok(Some(piece)) => {
                    hasher.update(&piece);
                    total = total.saturating_add(piece.len() as u64);
                    out = std::mem::replace(&mut held, piece);
                }
                Ok(None) => break,
                Err(_) => {
                    eprintln!(
                        "the origin broke off after {total} bytes of {}",
                        self.digest
                    );
                    return None;
                }
            }
            if self.size.is_some_and(|size| total > size) {
                break;
            }
        }
        if self.size.is_some_and(|size| size != total) || hasher.digest() != self.digest {
            eprintln!("the origin's bytes are not those of {}", self.digest);
            return None;
        }
        Some(held)
    }

    async fn conclude(self, last: Vec<u8>) -> bool {
        let is_stored = match self.keep {
            Some(keep) => keep.commit(&last).await,
            None => false,
        };
        if let Some(mut client) = self.client
            && client.write(&last).await
        {
            client.body.finish();
        }
        is_stored
    }
}

/// Sends a piece to whoever is left. Neither waits for the other's next piece.
async fn deliver(client: &mut Option<Client>, keep: &mut Option<Keep>, piece: Vec<u8>) {
    if piece.is_empty() {
        return;
    }
    let (is_taken, is_kept) = join!(
        async {
            match client {
                Some(client) => client.write(&piece).await,
                None => true,
            }
        },
        async {
            match keep {
                Some(keep) => keep.write(&piece).await,
                None => true,
            }
        }
    );
    if !is_taken {
        *client = None;
    }
    if !is_kept {
        give_up(keep.take()).await;
    }
}

async fn give_up(keep: Option<Keep>) {
    if let Some(Keep { upload, claim }) = keep {
        upload.abort().await;
        claim.release().await;
    }
}

impl Client {
    pub(crate) const fn new(body: Outgoing, span: Option<Span>) -> Self {
        Self { body, span, at: 0 }
    }

    /// Sends what it wants of a piece. False if it has gone.
    async fn write(&mut self, piece: &[u8]) -> bool {
        let wanted = wanted(self.span, self.at, piece);
        self.at = self.at.saturating_add(piece.len() as u64);
        wanted.is_empty() || self.body.write(wanted.to_vec()).await
    }
}

impl Keep {
    /// False if the store does not take it.
    async fn write(&mut self, piece: &[u8]) -> bool {
        self.claim.renew().await;
        let (write, late) = (pin!(self.upload.write(piece)), pin!(wait_for(STALL)));
        match select(write, late).await {
            Either::Left((Ok(()), _)) => return true,
            Either::Left((Err(error), _)) => eprintln!("an object is not kept: {error}"),
            Either::Right(_) => eprintln!("an object is not kept: the store takes no more of it"),
        }
        false
    }

    async fn commit(mut self, last: &[u8]) -> bool {
        let stored = match self.upload.write(last).await {
            Ok(()) => self.upload.commit().await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(()) => {
                self.claim.release().await;
                true
            }
            Err(error) => {
                eprintln!("an object is not kept: {error}");
                give_up(Some(self)).await;
                false
            }
        }
    }
}

/// What of a piece that starts at `at` lies in a span.
fn wanted(span: Option<Span>, at: u64, piece: &[u8]) -> &[u8] {
    let Some(span) = span else { return piece };
    let within = |offset: u64| {
        let offset = usize::try_from(offset.saturating_sub(at));
        offset.unwrap_or(usize::MAX).min(piece.len())
    };
    &piece[within(span.start)..within(span.end)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_cut_out_of_the_pieces() {
        let span = |start, end| Some(Span { start, end });
        let rows: &[(Option<Span>, u64, &[u8])] = &[
            (None, 7, b"abcd"),
            (span(0, 4), 0, b"abcd"),
            (span(1, 3), 0, b"bc"),
            (span(0, 10), 4, b"abcd"),
            (span(0, 5), 4, b"a"),
            (span(6, 100), 4, b"cd"),
            (span(0, 4), 4, b""),
            (span(8, 9), 4, b""),
            (span(0, u64::MAX), u64::MAX - 2, b"ab"),
        ];
        for (span, at, expected) in rows {
            assert_eq!(wanted(*span, *at, b"abcd"), *expected, "{span:?} {at}");
        }
    }
}
