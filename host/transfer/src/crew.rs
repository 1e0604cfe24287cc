//! The running parts of a transfer: the writer, and whoever brings it bytes.

use std::sync::Arc;

use ledge_store::Object;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use crate::courier::Load;
use crate::error::FillError;
use crate::transfer::Transfer;
use crate::turns::{Turn, Waiting};
use crate::writer::{Feed, Unwritten};

/// How many are sent ahead at a time for one object: lazy pullers read as many
/// ranges in parallel, and an origin bears as many connections from one client.
const AHEAD: usize = 8;

/// What the writer leaves.
pub(crate) type Written = Result<Result<Object, Unwritten>, JoinError>;

/// Who brings bytes ended.
pub(crate) enum Done {
    /// One of those who fill gaps: without them nothing becomes whole.
    Lane(Result<(), FillError>),
    /// One who was sent ahead; somebody else brings what they did not.
    Ahead(Result<(), FillError>),
}

/// Why the bringing ended.
pub(crate) enum End {
    Written(Written),
    Failed(FillError),
}

/// The running parts of a transfer.
pub(crate) struct Crew {
    pub(crate) couriers: JoinSet<Done>,
    pub(crate) feed: mpsc::Sender<Feed>,
    pub(crate) writer: JoinHandle<Result<Object, Unwritten>>,
    /// Whether all of it is being fetched.
    pub(crate) whole: bool,
    pub(crate) pieces: bool,
    pub(crate) ahead: usize,
    /// Whether the origin is known to answer ranges with ranges.
    pub(crate) ranged: bool,
}

/// The right to bring bytes, or a place in the queue for it. Who brings holds it, and nobody
/// else: a transfer that waits for its readers takes no turn from others.
pub(crate) enum Pass {
    Has(Arc<Turn>),
    Waits(Waiting),
}

impl Pass {
    pub(crate) async fn turn(self) -> Arc<Turn> {
        match self {
            Self::Has(turn) => turn,
            Self::Waits(place) => Arc::new(place.turn().await),
        }
    }
}

impl Crew {
    /// How many may be ahead at a time: one, until it is known that each brings a range and
    /// not all of it.
    pub(crate) fn most_ahead(&self) -> usize {
        if self.ranged { AHEAD } else { 1 }
    }

    pub(crate) fn send_ahead(&mut self, load: Load, pass: Pass) {
        self.ahead += 1;
        let feed = self.feed.clone();
        self.couriers.spawn(async move {
            let _turn = pass.turn().await;
            Done::Ahead(load.bring(&feed).await.map(drop))
        });
    }

    /// Notes that somebody who brings bytes has ended; the error if the transfer ends with them.
    pub(crate) fn ended(
        &mut self,
        done: Result<Done, JoinError>,
        transfer: &Transfer,
    ) -> Result<(), FillError> {
        let result = match done {
            Ok(Done::Lane(result)) => return result,
            Ok(Done::Ahead(result)) => result,
            Err(error) => return Err(FillError::Store(error.to_string())),
        };
        self.ahead -= 1;
        match result {
            Ok(()) => self.ranged = true,
            Err(error) if !self.whole => return Err(error),
            Err(error) => {
                tracing::info!(%error, "nobody is sent ahead any more");
                transfer.forget_ranges();
            }
        }
        // Whoever was not sent for may be now.
        transfer.touch();
        Ok(())
    }

    /// Ends whoever still runs; the writer's result, and why it came to this.
    pub(crate) async fn dismiss(mut self, end: End) -> (Written, Option<FillError>) {
        self.couriers.shutdown().await;
        drop(self.feed);
        match end {
            End::Written(written) => (written, None),
            End::Failed(error) => (self.writer.await, Some(error)),
        }
    }
}
