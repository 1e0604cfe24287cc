//! The end of a transfer that touches the disk: append, hash, verify, commit.
//!
//! It runs on a thread of the blocking pool, so that neither hashing (a few
//! hundred MB/s a core without SHA instructions) nor a slow disk holds up the
//! threads that serve.

use std::sync::Arc;

use bytes::Bytes;
use ledge_core::digest::{Algorithm, Digest};
use ledge_store::{Object, Partial};
use sha2::{Digest as _, Sha256, Sha512};
use tokio::sync::mpsc;

use crate::error::FillError;
use crate::transfer::{Stage, Transfer};

/// How many of the origin's frames may wait for the disk. Frames are some tens of
/// KiB, so this bounds a transfer's memory to about a MiB.
pub(crate) const QUEUE: usize = 16;

/// What the network side tells the disk side.
pub(crate) enum Feed {
    /// The next bytes.
    Data(Bytes),
    /// The origin's body ended as it should.
    End,
}

/// Hashes with the algorithm that a digest names.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::from_sha256(&hash.finalize().into()),
            Self::Sha512(hash) => Digest::from_sha512(&hash.finalize().into()),
        }
    }
}

/// Takes a transfer's bytes to the disk, and the object into the store.
pub(crate) struct Writer {
    pub(crate) digest: Digest,
    pub(crate) size: Option<u64>,
    pub(crate) partial: Partial,
    pub(crate) transfer: Arc<Transfer>,
}

impl Writer {
    /// Runs until the feed ends. A feed that closes without [`Feed::End`] is a
    /// transfer that broke: nothing is stored.
    pub(crate) fn run(mut self, mut feed: mpsc::Receiver<Feed>) -> Result<Object, FillError> {
        let mut hasher = Hasher::new(self.digest.algorithm());
        loop {
            match feed.blocking_recv() {
                Some(Feed::Data(bytes)) => self.take(&bytes, &mut hasher)?,
                Some(Feed::End) => return self.finish(hasher),
                None => return Err(FillError::Unreachable("the origin broke off".to_owned())),
            }
        }
    }

    /// Followers see bytes before they are hashed: the last ones are held back anyway.
    fn take(&mut self, bytes: &[u8], hasher: &mut Hasher) -> Result<(), FillError> {
        let written = self.partial.append(bytes)?;
        if self.size.is_some_and(|size| written > size) {
            return Err(FillError::Mismatch(
                "there are more than announced".to_owned(),
            ));
        }
        self.transfer.advance(written);
        hasher.update(bytes);
        Ok(())
    }

    fn finish(self, hasher: Hasher) -> Result<Object, FillError> {
        let length = self.partial.len();
        if self.size.is_some_and(|size| length != size) {
            return Err(FillError::Mismatch(format!("only {length} came")));
        }
        let found = hasher.finish();
        if found != self.digest {
            return Err(FillError::Mismatch(format!("theirs is {found}")));
        }
        self.transfer.enter(Stage::Verified);
        Ok(self.partial.commit(&self.digest)?)
    }
}
