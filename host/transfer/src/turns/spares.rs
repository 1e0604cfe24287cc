//! Those who have a spare turn, or wait for one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::queue::Rank;

/// How many may wait for a spare turn: the layers of two images that have as many as an overlay
/// file system takes (127).
pub(super) const WAITING: usize = 256;

/// They are bounded to half of all turns and to half of an origin's, so that most clients find one
/// that is free, and nobody has to stop for them.
pub(super) struct Spares {
    total: usize,
    per_origin: usize,
    /// In the order of their coming.
    queue: VecDeque<Waiter>,
    /// By ticket, so that the youngest is the last.
    running: BTreeMap<u64, Running>,
}

pub(super) struct Waiter {
    ticket: u64,
    pub(super) origin: Arc<str>,
    pub(super) called: oneshot::Sender<()>,
    pub(super) rank: watch::Sender<Rank>,
}

struct Running {
    origin: Arc<str>,
    rank: watch::Sender<Rank>,
    /// It was told to stop.
    is_told: bool,
}

impl Spares {
    /// Of so many turns in all, and from one origin.
    pub(super) fn new(total: usize, per_origin: usize) -> Self {
        Self {
            total: (total / 2).max(1),
            per_origin: (per_origin / 2).max(1),
            queue: VecDeque::new(),
            running: BTreeMap::new(),
        }
    }

    /// Whether as many wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= WAITING
    }

    /// Lets somebody wait, as the last.
    pub(super) fn push(
        &mut self,
        ticket: u64,
        origin: Arc<str>,
        called: oneshot::Sender<()>,
    ) -> watch::Receiver<Rank> {
        let (rank, mine) = watch::channel(Rank::Spare);
        self.queue.push_back(Waiter {
            ticket,
            origin,
            called,
            rank,
        });
        mine
    }

    /// Takes out who waits with this ticket.
    pub(super) fn take_waiting(&mut self, ticket: u64) -> Option<Waiter> {
        // Tickets are given in the order of coming.
        let place = self.queue.binary_search_by_key(&ticket, |w| w.ticket);
        self.queue.remove(place.ok()?)
    }

    /// Takes out who runs with this ticket.
    pub(super) fn take_running(&mut self, ticket: u64) -> Option<watch::Sender<Rank>> {
        Some(self.running.remove(&ticket)?.rank)
    }

    /// Lets the first run whose origin has room, if there may be one more.
    pub(super) fn start_next(
        &mut self,
        is_free: impl Fn(&str) -> bool,
    ) -> Option<(Arc<str>, oneshot::Sender<()>)> {
        if self.running.len() >= self.total {
            return None;
        }
        let may = |w: &Waiter| is_free(&w.origin) && self.of(&w.origin).count() < self.per_origin;
        let place = self.queue.iter().position(may)?;
        let waiter = self.queue.remove(place)?;
        let running = Running {
            origin: waiter.origin.clone(),
            rank: waiter.rank,
            is_told: false,
        };
        self.running.insert(waiter.ticket, running);
        Some((waiter.origin, waiter.called))
    }

    fn of(&self, origin: &str) -> impl Iterator<Item = &Running> {
        let running = self.running.values();
        running.filter(move |running| &*running.origin == origin)
    }

    /// How many were told to stop, and still run.
    pub(super) fn told(&self) -> usize {
        self.running.values().filter(|one| one.is_told).count()
    }

    /// The same of one origin.
    pub(super) fn told_of(&self, origin: &str) -> usize {
        self.of(origin).filter(|one| one.is_told).count()
    }

    /// Whether somebody of the origin runs who was not told to stop.
    pub(super) fn has_untold_of(&self, origin: &str) -> bool {
        self.of(origin).any(|one| !one.is_told)
    }

    /// Whether there is nobody left to be told.
    pub(super) fn may_all_stay(&self) -> bool {
        self.running.values().all(|one| one.is_told)
    }

    /// Chooses the youngest of these origins to stop, and gives back how to tell it.
    pub(super) fn tell(&mut self, of: impl Fn(&str) -> bool) -> Option<watch::Sender<Rank>> {
        let mut youngest = self.running.values_mut().rev();
        let one = youngest.find(|one| !one.is_told && of(&one.origin))?;
        one.is_told = true;
        Some(one.rank.clone())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.running.is_empty()
    }
}
