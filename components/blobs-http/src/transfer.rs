//! Bytes from an origin to a client and to the store at once, hashed as they pass.
//!
//! The end of a whole body waits for the digest, and for the store: who has got all bytes
//! has got the right ones, and the work is done when the response is, because some platforms stop
//! an instance then.

use crate::bindings::wasi::clocks::monotonic_clock::wait_for;
use crate::leases::Claim;
use crate::sent::{Cutter, Sent};
use crate::upload::Upload;
use crate::wire::{Body, Outgoing};
use futures::future::{Either, select};
use futures::join;
use ledge_core::digest::Digest;
use ledge_core::hash::Hasher;
use std::pin::pin;

/// How long the store may take no byte, in nanoseconds: a client that gets none meanwhile still
/// waits (clients give up after half a minute and more), and a bucket that closes a part needs seconds.
const STALL: u64 = 20_000_000_000;

/// How many of the last bytes wait for the digest. Whoever passes them on to others holds back so many too, and
/// what comes before goes on at once.
const HELD: usize = 16 << 10;

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
    cutter: Cutter,
}

/// Where the bytes are kept.
pub(crate) struct Keep {
    pub(crate) upload: Upload,
    pub(crate) claim: Claim,
    /// Whose bytes they are.
    pub(crate) origin: String,
}

/// How the bytes ended.
enum End {
    /// They are right: the last of them.
    Right(Vec<u8>),
    /// They are not those of the digest.
    Wrong,
    /// There are no more.
    Cut,
    /// Nobody takes them any more.
    Unwanted,
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The object is stored.
    Stored,
    /// It is not, because the store failed, or was not to have it.
    Unkept,
    /// The origin's bytes were wrong.
    Wrong,
    /// The origin broke off.
    Cut,
}

impl Transfer {
    /// Runs to the end.
    pub(crate) async fn run(mut self) -> Ended {
        let ended = match self.pass().await {
            End::Right(last) => return self.conclude(last).await,
            End::Wrong => {
                suspect(self.keep).await;
                Ended::Wrong
            }
            End::Unwanted => Ended::Unkept,
            End::Cut => {
                give_up(self.keep).await;
                Ended::Cut
            }
        };
        // The client's body breaks off, and who asks again finds what was noted.
        drop(self.client);
        ended
    }

    /// Passes on all but the last bytes.
    async fn pass(&mut self) -> End {
        let mut hasher = Hasher::new(self.digest.algorithm());
        let (mut out, mut held) = (Vec::new(), Vec::new());
        let mut total: u64 = 0;
        loop {
            let deliver = deliver(&mut self.client, &mut self.keep, out);
            let (read, ()) = join!(self.body.piece(), deliver);
            if self.client.is_none() && self.keep.is_none() {
                return End::Unwanted;
            }
            match read {
                Ok(Some(piece)) => {
                    hasher.update(&piece);
                    total = total.saturating_add(piece.len() as u64);
                    out = free(&mut held, piece, total, self.size);
                }
                Ok(None) => break,
                Err(_) => {
                    eprintln!(
                        "the origin broke off after {total} bytes of {}",
                        self.digest
                    );
                    return End::Cut;
                }
            }
            if self.size.is_some_and(|size| total > size) {
                break;
            }
        }
        if self.size.is_some_and(|size| size != total) || hasher.digest() != self.digest {
            eprintln!("the origin's bytes are not those of {}", self.digest);
            return End::Wrong;
        }
        End::Right(held)
    }

    async fn conclude(self, last: Vec<u8>) -> Ended {
        let is_stored = match self.keep {
            Some(keep) => keep.commit(&last).await,
            None => false,
        };
        if let Some(mut client) = self.client
            && client.write(&last).await
            && client.end().await
        {
            client.body.finish();
        }
        match is_stored {
            true => Ended::Stored,
            false => Ended::Unkept,
        }
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
    if let Some(Keep { upload, claim, .. }) = keep {
        upload.abort().await;
        claim.give_back().await;
    }
}

/// Has whoever comes next ask this origin last.
async fn suspect(keep: Option<Keep>) {
    if let Some(Keep {
        upload,
        claim,
        origin,
    }) = keep
    {
        upload.abort().await;
        claim.suspect(origin).await;
    }
}

/// What may go on of the bytes held back and those that came: of `total` by now, all but the last [`HELD`]
/// of the object's `size`, or of what came if that is not known.
fn free(held: &mut Vec<u8>, piece: Vec<u8>, total: u64, size: Option<u64>) -> Vec<u8> {
    if held.is_empty() {
        *held = piece;
    } else {
        held.extend(piece);
    }
    let keep = match size {
        Some(size) => total.saturating_sub(size.saturating_sub(HELD as u64)),
        None => HELD as u64,
    };
    let keep = usize::try_from(keep).unwrap_or(usize::MAX).min(held.len());
    let rest = held.split_off(held.len() - keep);
    std::mem::replace(held, rest)
}

impl Client {
    pub(crate) const fn new(body: Outgoing, sent: Sent) -> Self {
        Self {
            body,
            cutter: Cutter::new(sent),
        }
    }

    /// Sends what it wants of a piece. False if it has gone.
    async fn write(&mut self, piece: &[u8]) -> bool {
        let cut = self.cutter.cut(piece);
        cut.is_empty() || self.body.write(cut).await
    }

    /// Sends what stands behind the last of the bytes.
    async fn end(&mut self) -> bool {
        let end = self.cutter.end();
        end.is_empty() || self.body.write(end).await
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
                self.claim.done().await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_end_goes_on_at_once() {
        let rows: [(&[usize], Option<u64>, &[usize]); 5] = [
            // What may be the end by its place, and not more.
            (
                &[100_000, 100_000],
                Some(200_000),
                &[100_000, 100_000 - HELD],
            ),
            (&[HELD, HELD], Some(2 * HELD as u64), &[HELD, 0]),
            (&[1, 1], Some(2), &[0, 0]),
            // More than was announced is never sent.
            (&[30_000, 30_000], Some(20_000), &[20_000 - HELD, 0]),
            // Of an unknown length every piece may be the last.
            (&[HELD + 1, 5, 100_000], None, &[1, 5, 100_000]),
        ];
        for (pieces, size, expected) in rows {
            let (mut held, mut total, mut sent) = (Vec::new(), 0, Vec::new());
            let mut went = Vec::new();
            for piece in pieces {
                let bytes: Vec<_> = (total..total + piece).map(|at| at as u8).collect();
                total += piece;
                let out = free(&mut held, bytes, total as u64, size);
                sent.push(out.len());
                went.extend(out);
            }
            assert_eq!(sent, expected, "{pieces:?} {size:?}");
            went.extend(held);
            let all: Vec<_> = (0..total).map(|at| at as u8).collect();
            assert!(went == all, "{pieces:?}: other bytes");
        }
    }
}
