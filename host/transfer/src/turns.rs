//! Who may transfer now: a bounded number in all and from each origin, in a fair order.
//!
//! Origins take turns, round robin; within an origin, who came first goes first. An origin that
//! is at its own bound holds up nobody else.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// The turns of one host. Clones share them.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<Queue>>);

/// As many wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many wait for a turn")]
pub(crate) struct Full;

/// A place in the queue. Dropping it leaves the queue.
#[must_use = "dropping it leaves the queue"]
pub(crate) struct Waiting {
    place: Place,
    called: oneshot::Receiver<()>,
}

/// The right to run. Dropping it hands the turn on.
#[must_use = "dropping it hands the turn on"]
pub(crate) struct Turn {
    _place: Place,
}

impl Turns {
    /// Nobody runs yet. `total` may run at once, `per_origin` of them from one origin, both at
    /// least 1; `waiting` may wait beside those that run.
    pub(crate) fn new(total: usize, per_origin: usize, waiting: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue {
            bounds: Bounds {
                total,
                per_origin,
                waiting,
            },
            running: 0,
            waiting: 0,
            next_ticket: 0,
            origins: HashMap::new(),
            ready: VecDeque::new(),
        })))
    }

    /// Joins the queue at once, as the last of that origin.
    ///
    /// # Errors
    /// [`Full`] if it would have to wait and as many wait as may.
    pub(crate) fn enter(&self, origin: &str) -> Result<Waiting, Full> {
        self.change(|queue| {
            let is_full = queue.waiting >= queue.bounds.waiting && !queue.is_free(origin);
            if is_full {
                Err(Full)
            } else {
                Ok(queue.join(origin))
            }
        })
        .map(|joined| self.waiting(joined))
    }

    /// Joins the queue, however many wait: for those whom somebody waits for that was let in
    /// already. Their number is bounded by that.
    pub(crate) fn follow_up(&self, origin: &str) -> Waiting {
        self.waiting(self.change(|queue| queue.join(origin)))
    }

    fn waiting(&self, (origin, ticket, called): Joined) -> Waiting {
        let place = self.place(origin, ticket);
        Waiting { place, called }
    }

    /// A turn at once, or none. It overtakes nobody who waits and could use it.
    pub(crate) fn try_turn(&self, origin: &str) -> Option<Turn> {
        let (origin, ticket) = self.change(|queue| queue.take(origin))?;
        Some(Turn {
            _place: self.place(origin, ticket),
        })
    }

    fn place(&self, origin: Arc<str>, ticket: u64) -> Place {
        Place {
            turns: self.clone(),
            origin,
            ticket,
        }
    }

    /// Changes the queue, and calls those whose turn it is then. They are told when the lock is
    /// free again, because a woken task may drop a place.
    fn change<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut queue);
        let called = queue.call();
        drop(queue);
        for waiter in called {
            // Who is not there to hear it drops its place, and that hands the turn on.
            let _ = waiter.send(());
        }
        changed
    }
}

impl Waiting {
    /// Waits for the turn. Dropping the future leaves the queue.
    pub(crate) async fn turn(self) -> Turn {
        let Self { place, called } = self;
        // It cannot fail: the other end is dropped unused only when the place is.
        let _ = called.await;
        Turn { _place: place }
    }
}

/// A ticket: of someone who waits, or who runs. Only the queue knows which, so there is no moment
/// at which a turn belongs to nobody.
struct Place {
    turns: Turns,
    origin: Arc<str>,
    ticket: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = self
            .turns
            .change(|queue| queue.leave(&self.origin, self.ticket));
        drop(left);
    }
}

/// Whose queue, which ticket, and how it is told.
type Joined = (Arc<str>, u64, oneshot::Receiver<()>);

struct Queue {
    bounds: Bounds,
    running: usize,
    waiting: usize,
    next_ticket: u64,
    /// Those of which somebody runs or waits.
    origins: HashMap<Arc<str>, Origin>,
    /// The origins that [`Origin::is_ready`], each once, in the order of their turns.
    ready: VecDeque<Arc<str>>,
}

struct Bounds {
    total: usize,
    per_origin: usize,
    waiting: usize,
}

#[derive(Default)]
struct Origin {
    running: usize,
    /// In ascending order of tickets.
    queue: VecDeque<Waiter>,
}

struct Waiter {
    ticket: u64,
    called: oneshot::Sender<()>,
}

impl Origin {
    /// Somebody waits, and not because of the origin's own bound.
    fn is_ready(&self, per_origin: usize) -> bool {
        self.running < per_origin && !self.queue.is_empty()
    }
}

impl Queue {
    /// Whether somebody more of that origin may run. Then nobody of it waits: [`Self::call`]
    /// has called them all.
    fn is_free(&self, origin: &str) -> bool {
        let of_origin = self.origins.get(origin).map_or(0, |origin| origin.running);
        self.running < self.bounds.total && of_origin < self.bounds.per_origin
    }

    fn join(&mut self, origin: &str) -> Joined {
        let (sender, called) = oneshot::channel();
        let (origin, ticket) = self.ticket(origin);
        self.waiting += 1;
        self.of_origin(&origin, |origin| {
            origin.queue.push_back(Waiter {
                ticket,
                called: sender,
            });
        });
        (origin, ticket, called)
    }

    fn take(&mut self, origin: &str) -> Option<(Arc<str>, u64)> {
        if !self.is_free(origin) {
            return None;
        }
        let (origin, ticket) = self.ticket(origin);
        self.running += 1;
        self.of_origin(&origin, |origin| origin.running += 1);
        Some((origin, ticket))
    }

    /// Gives a place up. Gives back who waited there, to be dropped when the lock is free.
    fn leave(&mut self, origin: &Arc<str>, ticket: u64) -> Option<Waiter> {
        let left = self.of_origin(origin, |origin| {
            match origin.queue.binary_search_by_key(&ticket, |w| w.ticket) {
                Ok(index) => origin.queue.remove(index),
                Err(_) => {
                    origin.running -= 1;
                    None
                }
            }
        });
        match left {
            Some(_) => self.waiting -= 1,
            None => self.running -= 1,
        }
        left
    }

    /// Lets run who may, and gives back whom to tell.
    fn call(&mut self) -> Vec<oneshot::Sender<()>> {
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
        called
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
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
