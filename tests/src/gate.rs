//! A gate in a stream of bytes that a test opens, holds and cuts.

use std::io;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Held,
    Cut,
}

/// Clones share one state.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<State>);

impl Gate {
    /// Lets everything through.
    #[must_use]
    pub fn open() -> Self {
        Self(watch::Sender::new(State::Open))
    }

    /// Lets nothing through until `release`.
    #[must_use]
    pub fn held() -> Self {
        Self(watch::Sender::new(State::Held))
    }

    /// From now on nothing passes.
    pub fn hold(&self) {
        self.0.send_replace(State::Held);
    }

    /// From now on everything passes, and what waits goes on.
    pub fn release(&self) {
        self.0.send_replace(State::Open);
    }

    /// From now on whatever wants to pass is cut off.
    pub fn cut(&self) {
        self.0.send_replace(State::Cut);
    }

    /// Waits until the gate is open.
    ///
    /// # Errors
    /// `ConnectionReset` once the gate cuts.
    pub async fn pass(&self) -> io::Result<()> {
        let mut state = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        match state.wait_for(|state| *state != State::Held).await {
            Ok(state) if *state == State::Open => Ok(()),
            _ => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}
