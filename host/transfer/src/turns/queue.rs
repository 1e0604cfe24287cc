//! The queue behind the turns: values alone, and whom to tell of what they mean.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::spares::Spares;

/// How many may run and wait.
pub(super) struct Bounds {
    total: usize,
    per_origin: usize,
    waiting: usize,
}

/// What somebody is who has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// No client waits for it.
    Spare,
    /// Nor for this one, and it is to stop.
    Told,
    /// A client's.
    Client,
}

/// Whose queue, which ticket, and how it is told.
pub(super) struct Joined {
    pub(super) origin: Arc<str>,
    pub(super) ticket: u64,
    pub(super) called: oneshot::Receiver<()>,
}

/// How somebody who is gone would have been told.
pub(super) type Left = (Option<oneshot::Sender<()>>, Option<watch::Sender<Rank>>);

pub(super) struct Queue {
    bounds: Bounds,
    running: usize,
    /// Clients alone, as in each origin.
    waiting: usize,
    next_ticket: u64,
    /// Those of which somebody runs, or a client waits.
    origins: HashMap<Arc<str>, Origin>,
    /// The origins that [`Origin::is_ready`], each once, in the order of their turns.
    ready: VecDeque<Arc<str>>,
    spares: Spares,
}

#[derive(Default)]
struct Origin {
    /// With spare turns and without.
    running: usize,
    /// In the order of their coming.
    queue: VecDeque<Waiter>,
}

struct Waiter {
    ticket: u64,
    called: oneshot::Sender<()>,
}

impl Bounds {
    pub(super) fn new(total: usize, per_origin: usize, waiting: usize) -> Self {
        Self {
            total,
            per_origin,
            waiting,
        }
    }
}

impl Rank {
    /// Tells it to stop, unless it is a client's.
    pub(super) fn tell(&mut self) -> bool {
        let is_spare = *self == Self::Spare;
        if is_spare {
            *self = Self::Told;
        }
        is_spare
    }
}

impl Origin {
    /// Somebody waits, and not because of the origin's own bound.
    fn is_ready(&self, per_origin: usize) -> bool {
        self.running < per_origin && !self.queue.is_empty()
    }
}

impl Queue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            spares: Spares::new(bounds.total, bounds.per_origin),
            bounds,
            running: 0,
            waiting: 0,
            next_ticket: 0,
            origins: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    /// Whether somebody more of that origin may run. Then no client of it waits: [`Self::call`]
    /// has called them all.
    fn is_free(&self, origin: &str) -> bool {
        self.running < self.bounds.total && self.running_of(origin) < self.bounds.per_origin
    }

    fn running_of(&self, origin: &str) -> usize {
        self.origins.get(origin).map_or(0, |origin| origin.running)
    }

    /// Whether a client may join: it need not wait, or may.
    pub(super) fn has_room(&self, origin: &str) -> bool {
        self.waiting < self.bounds.waiting || self.is_free(origin)
    }

    pub(super) fn join(&mut self, origin: &str) -> Joined {
        let (sender, called) = oneshot::channel();
        let (origin, ticket) = self.ticket(origin);
        self.push(&origin, ticket, sender);
        Joined {
            origin,
            ticket,
            called,
        }
    }

    fn push(&mut self, origin: &Arc<str>, ticket: u64, called: oneshot::Sender<()>) {
        self.waiting += 1;
        self.of_origin(origin, |origin| {
            origin.queue.push_back(Waiter { ticket, called });
        });
    }

    /// None if as many wait for a spare turn as may.
    pub(super) fn join_spare(&mut self, origin: &str) -> Option<(Joined, watch::Receiver<Rank>)> {
        if self.spares.is_full() {
            return None;
        }
        let (sender, called) = oneshot::channel();
        let (origin, ticket) = self.ticket(origin);
        let rank = self.spares.push(ticket, origin.clone(), sender);
        let joined = Joined {
            origin,
            ticket,
            called,
        };
        Some((joined, rank))
    }

    pub(super) fn take(&mut self, origin: &str) -> Option<(Arc<str>, u64)> {
        if !self.is_free(origin) {
            return None;
        }
        let (origin, ticket) = self.ticket(origin);
        self.run(&origin);
        Some((origin, ticket))
    }

    fn run(&mut self, origin: &Arc<str>) {
        self.running += 1;
        self.of_origin(origin, |origin| origin.running += 1);
    }

    /// Makes a spare place a client's, and gives back whom to tell. Who waits for a spare turn is
    /// let in, however many clients wait: their number is bounded, too.
    pub(super) fn promote(&mut self, ticket: u64) -> Option<watch::Sender<Rank>> {
        if let Some(waiter) = self.spares.take_waiting(ticket) {
            self.push(&waiter.origin, ticket, waiter.called);
            return Some(waiter.rank);
        }
        self.spares.take_running(ticket)
    }

    /// Gives a place up. Gives back what is left of it, to be dropped when the lock is free.
    pub(super) fn leave(&mut self, origin: &Arc<str>, ticket: u64) -> Left {
        if let Some(waiter) = self.spares.take_waiting(ticket) {
            return (Some(waiter.called), Some(waiter.rank));
        }
        let rank = self.spares.take_running(ticket);
        let left = self.of_origin(origin, |origin| {
            let place = origin.queue.iter().position(|w| w.ticket == ticket);
            let left = place.and_then(|place| origin.queue.remove(place));
            if left.is_none() {
                origin.running -= 1;
            }
            left
        });
        match left {
            Some(_) => self.waiting -= 1,
            None => self.running -= 1,
        }
        (left.map(|waiter| waiter.called), rank)
    }

    /// Lets run who may, and gives back whom to tell.
    pub(super) fn call(&mut self) -> Vec<oneshot::Sender<()>> {
        let mut called = Vec::new();
        while self.running < self.bounds.total {
            let Some(name) = self.ready.pop_front() else {
                break;
            };
            let Some(origin) = self.origins.get_mut(&name) else {
                continue;
            };
            if let Some(waiter) = origin.queue.pop_front() {
                origin.running += 1;
                self.running += 1;
                self.waiting -= 1;
                called.push(waiter.called);
            }
            if origin.is_ready(self.bounds.per_origin) {
                self.ready.push_back(name);
            }
        }
        while let Some(waiter) = self.next_spare() {
            called.push(waiter);
        }
        called
    }

    /// Who waits for a spare turn, and may have one: while no client waits for any.
    fn next_spare(&mut self) -> Option<oneshot::Sender<()>> {
        if self.waiting > 0 || self.running >= self.bounds.total {
            return None;
        }
        let (origins, per_origin) = (&self.origins, self.bounds.per_origin);
        let is_free = |name: &str| origins.get(name).is_none_or(|o| o.running < per_origin);
        let (origin, called) = self.spares.start_next(is_free)?;
        self.run(&origin);
        Some(called)
    }

    /// Chooses who is to stop so that clients need not wait, and gives back how they are told.
    pub(super) fn tell(&mut self) -> Vec<watch::Sender<Rank>> {
        let mut told = Vec::new();
        while let Some(rank) = self.tell_one() {
            told.push(rank);
        }
        told
    }

    fn tell_one(&mut self) -> Option<watch::Sender<Rank>> {
        if self.waiting == 0 || self.spares.may_all_stay() {
            return None;
        }
        // As many of all turns as clients could use at once, with what their origins' bounds leave.
        let (mut useful, mut at_bound) = (0, None);
        for (name, origin) in &self.origins {
            let told = self.spares.told_of(name);
            let room = self.bounds.per_origin.saturating_sub(origin.running) + told;
            useful += origin.queue.len().min(room);
            if origin.queue.len() > room && self.spares.has_untold_of(name) {
                at_bound = Some(name);
            }
        }
        if useful > self.spares.told() + (self.bounds.total - self.running) {
            return self.spares.tell(|_| true);
        }
        let at_bound = at_bound?;
        self.spares.tell(|origin| origin == &**at_bound)
    }

    fn ticket(&mut self, origin: &str) -> (Arc<str>, u64) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let known = self.origins.get_key_value(origin);
        let name = known.map_or_else(|| Arc::from(origin), |(name, _)| name.clone());
        (name, ticket)
    }

    /// Changes an origin. It is ready after it or not, and forgotten if nothing is left of it.
    fn of_origin<T>(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Origin) -> T) -> T {
        let per_origin = self.bounds.per_origin;
        let origin = self.origins.entry(name.clone()).or_default();
        let was_ready = origin.is_ready(per_origin);
        let changed = change(origin);
        let is_ready = origin.is_ready(per_origin);
        if origin.running == 0 && origin.queue.is_empty() {
            self.origins.remove(name);
        }
        match (was_ready, is_ready) {
            (false, true) => self.ready.push_back(name.clone()),
            (true, false) => self.ready.retain(|ready| ready != name),
            _ => {}
        }
        changed
    }

    /// Nobody runs, nobody waits, and nothing is left of any origin.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let nobody = self.running == 0 && self.waiting == 0 && self.spares.is_empty();
        nobody && self.origins.is_empty() && self.ready.is_empty()
    }
}
