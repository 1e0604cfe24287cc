//! The end of a transfer that touches the disk: write, hash, verify, commit.
//!
//! It runs on a thread of the blocking pool, so that neither hashing (a few
//! hundred MB/s a core without SHA instructions) nor a slow disk holds up the
//! threads that serve.

use std::sync::Arc;

use bytes::Bytes;
use ledge_core::digest::Digest;
use ledge_store::{Keeping, Object, Partial, StoreError};
use rangemap::RangeSet;
use tokio::sync::mpsc;

use crate::error::FillError;
use crate::transfer::{Stage, Transfer};
use ledge_core::hash::Hasher;

/// How many of the origin's frames may wait for the disk. Frames are some tens of
/// KiB, so this bounds a transfer's memory to about a MiB.
pub(crate) const QUEUE: usize = 16;

/// How many of them are told of together: waking every follower for each one costs more
/// than it brings.
const BATCH: usize = 4;

/// How much is read back at once, to be hashed.
pub(crate) const BLOCK: u64 = 256 * 1024;

/// After so many bytes the hash so far is noted beside the partial file: what a
/// restart loses at most, for a line of 80 bytes.
const MARK: u64 = 1 << 20;

/// How many marks an object gets at most, which is fewer than the store takes.
const MARKS: u64 = 4096;

/// What the network side tells the disk side.
pub(crate) enum Feed {
    /// Bytes, and the offset of the first.
    Data { at: u64, bytes: Bytes },
    /// The object ends here.
    Size(u64),
}

/// Why there is no object.
pub(crate) enum Unwritten {
    /// The feed closed before its end. What came is kept for the next try.
    Broken,
    /// The bytes are wrong; they are gone.
    Wrong(FillError),
    /// The disk takes no more.
    Full(Box<Full>),
}

/// How far a transfer came that the disk ended: the first `hashed` bytes are in the file.
pub(crate) struct Full {
    pub(crate) error: FillError,
    pub(crate) hasher: Hasher,
    pub(crate) hashed: u64,
}

/// Takes a transfer's bytes to the disk, and the object into the store.
pub(crate) struct Writer {
    pub(crate) digest: Digest,
    pub(crate) size: Option<u64>,
    pub(crate) partial: Partial,
    /// Of the first `hashed` bytes.
    pub(crate) hasher: Hasher,
    pub(crate) hashed: u64,
    pub(crate) transfer: Arc<Transfer>,
    pub(crate) keep: Keeping,
}

impl Writer {
    /// Runs until the object is whole, or the feed closes.
    pub(crate) fn run(mut self, mut feed: mpsc::Receiver<Feed>) -> Result<Object, Unwritten> {
        let mut present = RangeSet::new();
        if self.hashed > 0 {
            present.insert(0..self.hashed);
        }
        let mut marked = self.hashed;
        let step = MARK.max(self.size.unwrap_or(0) / MARKS);
        let mut batch = Vec::with_capacity(BATCH);
        // The first bytes go on at once; later ones are told of together.
        let mut most = 1;
        while self.size != Some(self.hashed) {
            if self.size.is_some_and(|size| size < self.hashed) {
                return Err(wrong("there are more already".to_owned()));
            }
            if feed.blocking_recv_many(&mut batch, most) == 0 {
                return Err(self.leave());
            }
            let written = self.write(&batch, &mut present)?;
            if let Err(error) = self.hash(&batch, &present).and(written) {
                return Err(full(error, self.hasher, self.hashed));
            }
            if self.hashed - marked >= step {
                marked = self.hashed;
                self.mark();
            }
            batch.clear();
            most = BATCH;
        }
        self.finish()
    }

    /// Writes what came, up to the first failure, and tells followers: they see bytes
    /// before they are hashed, but the last ones, which are held back.
    fn write(
        &mut self,
        batch: &[Feed],
        present: &mut RangeSet<u64>,
    ) -> Result<Result<(), StoreError>, Unwritten> {
        let mut result = Ok(());
        let mut spans = Vec::with_capacity(batch.len());
        for each in batch {
            let (at, bytes) = match each {
                Feed::Data { at, bytes } => (*at, bytes),
                Feed::Size(size) => {
                    self.agree(*size)?;
                    continue;
                }
            };
            let end = at + bytes.len() as u64;
            if self.size.is_some_and(|size| end > size) {
                return Err(wrong("there are more than announced".to_owned()));
            }
            result = self.partial.write_at(bytes, at);
            if result.is_err() {
                break;
            }
            present.insert(at..end);
            spans.push(at..end);
        }
        if !spans.is_empty() {
            self.transfer.publish(spans.into_iter());
        }
        Ok(result)
    }

    fn agree(&mut self, size: u64) -> Result<(), Unwritten> {
        match self.size.replace(size) {
            Some(known) if known != size => {
                Err(wrong(format!("{size} came where {known} were announced")))
            }
            _ => Ok(()),
        }
    }

    /// Hashes on as far as there is no hole: from memory what has just come, from the
    /// file what was there before its turn.
    fn hash(&mut self, batch: &[Feed], present: &RangeSet<u64>) -> Result<(), StoreError> {
        let front = present.get(&0).map_or(0, |span| span.end);
        for each in batch {
            if let Feed::Data { at, bytes } = each
                && *at == self.hashed
                && *at < front
            {
                self.hasher.update(bytes);
                self.hashed += bytes.len() as u64;
            }
        }
        let mut block = Vec::new();
        while self.hashed < front {
            let length = BLOCK.min(front - self.hashed);
            block.resize(usize::try_from(length).unwrap_or_default(), 0);
            self.partial.read_at(&mut block, self.hashed)?;
            self.hasher.update(&block);
            self.hashed += length;
        }
        Ok(())
    }

    /// Without a mark a restart begins anew: slower, never wrong.
    fn mark(&mut self) {
        let hash = self.hasher.digest();
        if let Err(error) = self.partial.mark(self.hashed, hash.hex()) {
            tracing::debug!(%error, "no checkpoint was written");
        }
    }

    fn finish(self) -> Result<Object, Unwritten> {
        let found = self.hasher.digest();
        if found != self.digest {
            return Err(wrong(format!("theirs is {found}")));
        }
        self.transfer.enter(Stage::Verified);
        let (hasher, hashed) = (self.hasher, self.hashed);
        let committed = self.partial.commit(&self.digest, hashed, self.keep);
        committed.map_err(|error| full(error, hasher, hashed))
    }

    /// Leaves what came to the next try.
    fn leave(mut self) -> Unwritten {
        self.mark();
        self.partial.keep();
        Unwritten::Broken
    }
}

fn full(error: impl Into<FillError>, hasher: Hasher, hashed: u64) -> Unwritten {
    Unwritten::Full(Box::new(Full {
        error: error.into(),
        hasher,
        hashed,
    }))
}

fn wrong(why: String) -> Unwritten {
    Unwritten::Wrong(FillError::Mismatch(why))
}

/// Hashes what an earlier transfer left, up to its last checkpoint that is right:
/// bytes on a disk are not trusted.
pub(crate) fn take_up(
    mut partial: Partial,
    marks: &[(u64, String)],
    hasher: Hasher,
) -> Result<(Partial, Hasher, u64), StoreError> {
    let mut good = (hasher.clone(), 0);
    let (mut hasher, mut at) = (hasher, 0);
    let mut block = Vec::new();
    'marks: for (offset, hash) in marks {
        while at < *offset {
            let length = BLOCK.min(*offset - at);
            block.resize(usize::try_from(length).unwrap_or_default(), 0);
            if partial.read_at(&mut block, at).is_err() {
                break 'marks;
            }
            hasher.update(&block);
            at += length;
        }
        if hasher.digest().hex() != hash {
            break;
        }
        good = (hasher.clone(), at);
    }
    partial.truncate(good.1)?;
    Ok((partial, good.0, good.1))
}
