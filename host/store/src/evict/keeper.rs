//! The thread that does what nobody waits for: writes down uses, makes room ahead, walks.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::space::{Bell, lock};
use crate::blob::{Inner, StoreError};

/// How often it looks on its own.
const TICK: Duration = Duration::from_secs(5);

/// How often uses are written that nobody needs to know yet: those of a minute are one change of the index, and
/// a crash loses no more of them. Whoever makes room has them written first.
const USES: Duration = Duration::from_secs(60);

/// How long after a failure it tries again: a broken disk stays so for a while, and each attempt is
/// a line in the log.
const RETRY: Duration = Duration::from_secs(60);

/// The running thread; ends when it is dropped.
pub(crate) struct Keeper {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts it.
    pub(crate) fn start(store: Arc<Inner>) -> io::Result<Self> {
        let bell = store.space.bell.clone();
        let thread = thread::Builder::new()
            .name("ledge-store".to_owned())
            .spawn(move || run(&store))?;
        Ok(Self {
            bell,
            thread: Some(thread),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        lock(&self.bell.state).closing = true;
        self.bell.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn run(store: &Inner) {
    let mut pause = Duration::ZERO;
    let mut written = Instant::now();
    while store.space.bell.wait(pause) {
        if written.elapsed() >= USES {
            store.write_uses();
            written = Instant::now();
        }
        pause = match store.keep() {
            Ok(()) => TICK,
            Err(error) => {
                tracing::warn!(%error, "the store is not kept in order");
                RETRY
            }
        };
    }
}

impl Bell {
    /// Until it rings, for `pause` at most. False when closing.
    fn wait(&self, pause: Duration) -> bool {
        let state = lock(&self.state);
        let waited = self
            .changed
            .wait_timeout_while(state, pause, |state| !state.now && !state.closing);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.now = false;
        !state.closing
    }

    fn is_closing(&self) -> bool {
        lock(&self.state).closing
    }

    /// Lets others go first for a while, unless it is closing.
    fn rest(&self, pause: Duration) {
        let state = lock(&self.state);
        let rested = self
            .changed
            .wait_timeout_while(state, pause, |state| !state.closing);
        drop(rested);
    }
}

impl Inner {
    /// What is to be done now.
    fn keep(&self) -> Result<(), StoreError> {
        self.relieve()?;
        self.recover()?;
        if !self.space.closed.load(Ordering::Acquire) {
            self.space.asked(self.space.save(false));
        }
        Ok(())
    }

    /// Walks through all objects, unless somebody did since.
    pub(crate) fn recover(&self) -> Result<(), StoreError> {
        let _one = lock(&self.space.walking);
        if self.space.is_incomplete() {
            self.walk_all()?;
        }
        Ok(())
    }

    /// Walks through all objects, at half the speed that it could: clients want the disk too.
    fn walk_all(&self) -> Result<(), StoreError> {
        self.space.begin_walk();
        for byte in 0..=u8::MAX {
            let started = Instant::now();
            self.walk(byte)?;
            self.relieve()?;
            self.space.bell.rest(started.elapsed());
            if self.space.bell.is_closing() {
                return Ok(());
            }
        }
        self.space.end_walk();
        Ok(())
    }
}
