//! Whether everything that is stored is what it says that it is.
//!
//! An object whose bytes are not those of its digest is taken away; its records stay, for what they say is true
//! all the same: the next pull finds no bytes, and fetches them.

use std::thread;
use std::time::Duration;

use ledge_core::digest::Digest;
use ledge_store::{Fate, Stored};
use serde::{Deserialize, Serialize};

use crate::error::TendError;
use crate::event::{Event, Watch};
use crate::pace::Pace;
use crate::tend::Tend;
use ledge_core::hash::Hasher;

/// How many bytes are read a second unless it is said, 100 MiB: half of what a hard disk reads, a twentieth of what
/// a solid state disk does, a quarter of a core for the hash.
pub const RATE: u64 = 100 << 20;

/// How many bytes are read at once, 1 MiB: a hundredth of a second at the usual rate.
const BLOCK: usize = 1 << 20;

/// How often it is told how far it came, in bytes: some times a second at the usual rate.
const TOLD: u64 = 16 << 20;

/// How often somebody who waits for a slow rate is asked whether they are still there.
const ASKED: Duration = Duration::from_millis(500);

/// How to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fsck {
    /// How many bytes are read a second at most; 0 is as many as it goes.
    pub rate: u64,
    /// Whether what is wrong is deleted, and not kept in quarantine.
    pub delete: bool,
}

impl Default for Fsck {
    fn default() -> Self {
        Self {
            rate: RATE,
            delete: false,
        }
    }
}

/// What was wrong with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    /// The bytes are others than the digest says.
    Digest,
    /// The disk does not give the bytes back.
    Unreadable,
    /// It lies among the objects, and is none.
    Stranger,
    /// The index did not know it, and does now.
    Unknown,
    /// The index knew it, and it is not there.
    Missing,
    /// The index had another size.
    Size,
}

/// Something that was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The digest, or the path.
    pub what: String,
    /// What was wrong with it.
    pub wrong: Wrong,
    /// What was done: `quarantined`, `deleted`, `entered`, `forgotten`, `corrected`, `left`.
    pub done: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FsckReport {
    /// How many objects were verified.
    pub objects: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// How many things were wrong.
    pub wrong: u64,
    /// How many of those were objects with other bytes.
    pub damaged: u64,
    /// How many things were put into quarantine.
    pub quarantined: u64,
}

impl Tend {
    /// Verifies every object, and tells of each that is wrong.
    ///
    /// # Errors
    /// [`TendError`]; what was found until then is mended.
    pub fn fsck(&self, how: &Fsck, watch: &mut Watch<'_>) -> Result<FsckReport, TendError> {
        let _work = self.work()?;
        // What a crash leaves is put in order by the store itself, and is not wrong.
        self.store().recover()?;
        let of = self.store().usage()?.stored;
        let mut run = Run {
            tend: self,
            how,
            pace: Pace::new(how.rate),
            watch,
            report: FsckReport::default(),
            of,
            told: 0,
            buffer: vec![0; BLOCK],
        };
        for byte in 0..=u8::MAX {
            run.shard(byte)?;
        }
        Ok(run.report)
    }
}

struct Run<'a, 'w> {
    tend: &'a Tend,
    how: &'a Fsck,
    pace: Pace,
    watch: &'a mut Watch<'w>,
    report: FsckReport,
    of: u64,
    told: u64,
    buffer: Vec<u8>,
}

impl Run<'_, '_> {
    /// The objects whose digests have this first byte.
    fn shard(&mut self, byte: u8) -> Result<(), TendError> {
        let store = self.tend.store();
        let mended = store.mend(byte)?;
        for digest in mended.entered {
            self.found(digest.to_string(), Wrong::Unknown, "entered")?;
        }
        for hex in mended.forgotten {
            self.found(hex, Wrong::Missing, "forgotten")?;
        }
        for stranger in mended.strangers {
            let fate = store.expel(&stranger, !self.how.delete)?;
            let path = stranger.path().display().to_string();
            self.taken(path, Wrong::Stranger, fate)?;
        }
        for digest in mended.objects {
            self.object(&digest)?;
        }
        Ok(())
    }

    fn object(&mut self, digest: &Digest) -> Result<(), TendError> {
        let store = self.tend.store();
        // None if it was evicted since it was listed.
        let Some(stored) = store.look(digest)? else {
            return Ok(());
        };
        let wrong = match self.hash(&stored)? {
            Some(found) if found == *digest => None,
            Some(_) => Some(Wrong::Digest),
            None => Some(Wrong::Unreadable),
        };
        self.report.objects += 1;
        self.report.bytes += stored.size();
        if let Some(wrong) = wrong {
            let fate = store.quarantine(&stored, !self.how.delete)?;
            if fate != Fate::Replaced {
                self.report.damaged += 1;
                (self.tend.parts().changed)();
            }
            return self.taken(digest.to_string(), wrong, fate);
        }
        if store.correct(&stored) {
            self.found(digest.to_string(), Wrong::Size, "corrected")?;
        }
        Ok(())
    }

    /// The digest of the bytes; none if they cannot be read.
    fn hash(&mut self, stored: &Stored) -> Result<Option<Digest>, TendError> {
        let mut hash = Hasher::new(stored.digest().algorithm());
        let mut at = 0;
        loop {
            let read = match stored.read_at(&mut self.buffer, at) {
                Ok(0) => return Ok(Some(hash.digest())),
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!(digest = %stored.digest(), %error, "an object cannot be read");
                    return Ok(None);
                }
            };
            hash.update(&self.buffer[..read]);
            at += read as u64;
            self.pace.spent(read as u64);
            self.tell(self.report.bytes + at)?;
        }
    }

    /// Tells how far it came, and waits until that was not too fast. Who waits long asks now and then whether anybody
    /// still wants it.
    fn tell(&mut self, done: u64) -> Result<(), TendError> {
        let of = self.of.max(done);
        if done - self.told >= TOLD {
            self.told = done;
            (self.watch)(Event::Progress { done, of })?;
        }
        while let Some(wait) = self.pace.ahead() {
            thread::sleep(wait.min(ASKED));
            if wait > ASKED {
                (self.watch)(Event::Progress { done, of })?;
            }
        }
        Ok(())
    }

    /// Something was taken away, unless it was gone.
    fn taken(&mut self, what: String, wrong: Wrong, fate: Fate) -> Result<(), TendError> {
        let done = match fate {
            Fate::Kept => "quarantined",
            Fate::Deleted => "deleted",
            Fate::Left => "left",
            Fate::Replaced => return Ok(()),
        };
        self.report.quarantined += u64::from(fate == Fate::Kept);
        self.found(what, wrong, done)
    }

    fn found(&mut self, what: String, wrong: Wrong, done: &str) -> Result<(), TendError> {
        self.report.wrong += 1;
        let done = done.to_owned();
        (self.watch)(Event::Finding(Finding { what, wrong, done }))?;
        Ok(())
    }
}
