//! The store's room, in numbers: what is taken, what is promised, what is too much. No I/O.

use std::collections::HashMap;
use std::time::SystemTime;

use ledge_core::digest::Digest;

use super::entry::Entry;
use super::policy::Turns;

/// How many leftovers are kept at most. Each costs some hundred bytes of memory; a transfer that is
/// begun anew costs what it costs without them.
const LEFTOVERS: usize = 4096;

/// The parts of a turn that the clock counts: with bytes of objects of a few KiB, in a store of many TiB,
/// it would stand still in units of [`Turns`].
const FINE: u32 = 22;

/// The index's own sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// How many objects there are.
    pub(crate) objects: u64,
    /// How many bytes of the disk they take.
    pub(crate) bytes: u64,
    /// Those of objects that do not go.
    pub(crate) fixed: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, entry: &Entry) {
        self.objects += 1;
        self.bytes += entry.disk;
        if entry.keeping.is_fixed() {
            self.fixed += entry.disk;
        }
    }

    /// Saturates: after a crash the sums may be older than the entries.
    pub(crate) fn remove(&mut self, entry: &Entry) {
        self.objects = self.objects.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.disk);
        if entry.keeping.is_fixed() {
            self.fixed = self.fixed.saturating_sub(entry.disk);
        }
    }
}

/// What an unfinished object takes that nobody works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// Bytes of the disk, its marks included.
    pub(crate) disk: u64,
    /// When it was last written to.
    pub(crate) since: SystemTime,
}

/// What the file system says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Bytes that an unprivileged user can still write.
    pub(crate) free: u64,
    /// Bytes that the store's other files and directories take.
    pub(crate) files: u64,
    /// Bytes of files that have no name any more and are still read.
    pub(crate) held: u64,
    /// Bytes that the store's other files may grow by before they are looked at again.
    pub(crate) growth: u64,
}

/// The bounds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What the store may take; none is no such bound.
    pub max_size: Option<u64>,
    /// What the file system keeps free.
    pub min_free: u64,
}

/// The sums of the objects that were counted so far.
#[derive(Debug, Default)]
struct Recount {
    /// The first byte of the digests that are next; 256 at the end.
    next: u16,
    totals: Totals,
}

impl Recount {
    /// The sums, if the object was counted already.
    fn counted(&mut self, digest: &Digest) -> Option<&mut Totals> {
        let byte = u16::from_str_radix(&digest.hex()[..2], 16).unwrap_or(u16::MAX);
        (byte < self.next).then_some(&mut self.totals)
    }
}

/// Everything that takes room.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) limits: Limits,
    pub(crate) totals: Totals,
    /// While all objects are counted anew.
    recount: Option<Recount>,
    leftovers: HashMap<Digest, Left>,
    leftover_bytes: u64,
    /// What unfinished objects take that somebody works on.
    incoming: u64,
    /// What those will still take.
    promised: u64,
    /// The time, in turns of which 2³² are one.
    clock: u64,
    /// What the store took, and could still take, when it was last asked for room.
    capacity: u64,
}

impl Books {
    pub(crate) fn new(limits: Limits, totals: Totals, clock: u64) -> Self {
        Self {
            limits,
            totals,
            recount: None,
            leftovers: HashMap::new(),
            leftover_bytes: 0,
            incoming: 0,
            promised: 0,
            clock,
            capacity: 0,
        }
    }

    /// What the store takes of the disk.
    pub(crate) fn used(&self, measured: &Measured) -> u64 {
        let own = self.totals.bytes + self.leftover_bytes + self.incoming;
        own + measured.files + measured.held
    }

    /// How many bytes must go before there is room for `need` more.
    pub(crate) fn lack(&self, need: u64, measured: &Measured) -> u64 {
        let coming = self.promised.saturating_add(need);
        let growing = coming.saturating_add(measured.growth);
        let size = self.used(measured).saturating_add(growing);
        let over = self.limits.max_size.map(|max| size.saturating_sub(max));
        let kept = self.limits.min_free.saturating_add(coming);
        over.unwrap_or(0).max(kept.saturating_sub(measured.free))
    }

    /// Promises `need` bytes, if there is room; else says how many are lacking.
    pub(crate) fn promise(&mut self, need: u64, measured: &Measured) -> Result<(), u64> {
        self.look(measured);
        match self.lack(need, measured) {
            0 => {
                self.promised += need;
                Ok(())
            }
            lack => Err(lack),
        }
    }

    /// Notes how much the store could take.
    pub(crate) fn look(&mut self, measured: &Measured) {
        self.capacity = self.could_take(measured);
    }

    /// What the store could take if all of it were cached.
    fn could_take(&self, measured: &Measured) -> u64 {
        let free = measured.free.saturating_sub(self.limits.min_free);
        let most = self.used(measured).saturating_add(free);
        self.limits.max_size.map_or(most, |max| max.min(most))
    }

    /// The same, when it was last looked at.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// What can be made room of.
    pub(crate) fn evictable(&self) -> u64 {
        self.totals.bytes.saturating_sub(self.totals.fixed) + self.leftover_bytes
    }

    /// A promise is not needed any more.
    pub(crate) fn release(&mut self, promised: u64) {
        self.promised = self.promised.saturating_sub(promised);
    }

    /// An unfinished object takes so much, or not any more.
    pub(crate) fn incoming(&mut self, before: u64, now: u64) {
        self.incoming = self.incoming.saturating_sub(before).saturating_add(now);
    }

    /// Somebody left an unfinished object. The answer is one that is too many.
    pub(crate) fn leave_behind(&mut self, digest: &Digest, left: Left) -> Option<Digest> {
        self.take_up(digest);
        self.leftover_bytes += left.disk;
        self.leftovers.insert(digest.clone(), left);
        (self.leftovers.len() > LEFTOVERS).then(|| self.oldest_leftover())?
    }

    /// What an unfinished object takes that is taken up or removed.
    pub(crate) fn take_up(&mut self, digest: &Digest) -> u64 {
        let disk = self.leftovers.remove(digest).map_or(0, |left| left.disk);
        self.leftover_bytes -= disk;
        disk
    }

    pub(crate) fn has_leftover(&self, digest: &Digest) -> bool {
        self.leftovers.contains_key(digest)
    }

    pub(crate) fn oldest_leftover(&self) -> Option<Digest> {
        let oldest = self.leftovers.iter().min_by_key(|(_, left)| left.since);
        oldest.map(|(digest, _)| digest.clone())
    }

    /// An object came into the store, perhaps in the place of itself.
    pub(crate) fn enter(&mut self, digest: &Digest, entry: &Entry, before: Option<&Entry>) {
        if let Some(before) = before {
            self.leave(digest, before);
        }
        self.totals.add(entry);
        if let Some(counted) = self.counted(digest) {
            counted.add(entry);
        }
        let turn = u128::from(self.capacity.max(entry.disk).max(1));
        let part = (u128::from(entry.disk) << 32) / turn;
        self.clock = self.clock.saturating_add(part as u64);
    }

    /// An object takes more or less than was known.
    pub(crate) fn resize(&mut self, digest: &Digest, before: &Entry, after: &Entry) {
        self.leave(digest, before);
        self.totals.add(after);
        if let Some(counted) = self.counted(digest) {
            counted.add(after);
        }
    }

    /// An object left it.
    pub(crate) fn leave(&mut self, digest: &Digest, entry: &Entry) {
        self.totals.remove(entry);
        if let Some(counted) = self.counted(digest) {
            counted.remove(entry);
        }
    }

    fn counted(&mut self, digest: &Digest) -> Option<&mut Totals> {
        self.recount.as_mut()?.counted(digest)
    }

    /// All objects are counted anew, by the first bytes of their digests from 0 on.
    pub(crate) fn begin_recount(&mut self) {
        self.recount = Some(Recount::default());
    }

    /// Those with this first byte were counted; while nobody could change them.
    pub(crate) fn recounted(&mut self, byte: u8, sums: Totals) {
        if let Some(recount) = &mut self.recount {
            recount.next = u16::from(byte) + 1;
            recount.totals.objects += sums.objects;
            recount.totals.bytes += sums.bytes;
            recount.totals.fixed += sums.fixed;
        }
    }

    /// All were counted.
    pub(crate) fn end_recount(&mut self) {
        if let Some(recount) = self.recount.take() {
            self.totals = recount.totals;
        }
    }

    /// The store's time.
    pub(crate) fn now(&self) -> Turns {
        Turns(u32::try_from(self.clock >> FINE).unwrap_or(u32::MAX))
    }

    /// The store's time, to be kept.
    pub(crate) fn clock(&self) -> u64 {
        self.clock
    }

    pub(crate) fn leftovers(&self) -> u64 {
        self.leftover_bytes
    }

    pub(crate) fn under_way(&self) -> u64 {
        self.incoming
    }

    pub(crate) fn promised(&self) -> u64 {
        self.promised
    }
}

#[cfg(test)]
mod tests;
