//! Who may transfer now: a bounded number in all and from each origin, in a fair order.
//!
//! Origins take turns, round robin; within an origin, who came first goes first. An origin that
//! is at its own bound holds up nobody else.
//!
//! A turn that no client waits for is spare: it may be had for what clients are expected to want.
//! Who has one is told to stop as soon as a client has to wait that could use it.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};

use queue::{Bounds, Joined, Queue, Rank};

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

/// That a place is one for a spare turn. Clones are of the same place.
#[derive(Clone)]
pub(crate) struct Spare {
    turns: Turns,
    ticket: u64,
    rank: watch::Receiver<Rank>,
}

impl Turns {
    /// Nobody runs yet. `total` may run at once, `per_origin` of them from one origin, both at
    /// least 1; `waiting` may wait beside those that run.
    pub(crate) fn new(total: usize, per_origin: usize, waiting: usize) -> Self {
        let bounds = Bounds::new(total, per_origin, waiting);
        Self(Arc::new(Mutex::new(Queue::new(bounds))))
    }

    /// Joins the queue at once, as the last of that origin.
    ///
    /// # Errors
    /// [`Full`] if it would have to wait and as many wait as may.
    pub(crate) fn enter(&self, origin: &str) -> Result<Waiting, Full> {
        let joined = self.change(|queue| queue.has_room(origin).then(|| queue.join(origin)));
        joined.map(|joined| self.waiting(joined)).ok_or(Full)
    }

    /// Joins the queue, however many wait: for those whom somebody waits for that was let in
    /// already. Their number is bounded by that.
    pub(crate) fn follow_up(&self, origin: &str) -> Waiting {
        self.waiting(self.change(|queue| queue.join(origin)))
    }

    /// Joins those who wait for a spare turn, as the last.
    ///
    /// # Errors
    /// [`Full`] if as many wait for one as may.
    pub(crate) fn enter_spare(&self, origin: &str) -> Result<(Waiting, Spare), Full> {
        let (joined, rank) = self.change(|queue| queue.join_spare(origin)).ok_or(Full)?;
        let spare = Spare {
            turns: self.clone(),
            ticket: joined.ticket,
            rank,
        };
        Ok((self.waiting(joined), spare))
    }

    fn waiting(&self, joined: Joined) -> Waiting {
        let place = self.place(joined.origin, joined.ticket);
        let called = joined.called;
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
        let (called, told) = (queue.call(), queue.tell());
        drop(queue);
        for waiter in called {
            // Who is not there to hear it drops its place, and that hands the turn on.
            let _ = waiter.send(());
        }
        for rank in told {
            // One who became a client's meanwhile stays that.
            rank.send_if_modified(|rank| rank.tell());
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

impl Spare {
    /// From now on a client waits for it: it has a client's place, the last of its origin, or keeps
    /// the turn that it has, whoever was told to stop.
    pub(crate) fn promote(&self) {
        let rank = self.turns.change(|queue| queue.promote(self.ticket));
        if let Some(rank) = rank {
            rank.send_replace(Rank::Client);
        }
    }

    /// Until it is to stop, because a client has to wait.
    pub(crate) async fn told(&self) {
        self.becomes(Rank::Told).await;
    }

    /// Until it is a client's.
    pub(crate) async fn promoted(&self) {
        self.becomes(Rank::Client).await;
    }

    async fn becomes(&self, rank: Rank) {
        let mut mine = self.rank.clone();
        if mine.wait_for(|mine| *mine == rank).await.is_err() {
            // It has no place any more, and changes no more.
            pending::<()>().await;
        }
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

#[cfg(test)]
mod model;
mod queue;
mod spares;
#[cfg(test)]
mod tests;
