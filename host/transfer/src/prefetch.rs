//! Transfers that nobody waits for yet.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::answer::Outcome;
use crate::error::FillError;
use crate::run::Job;
use crate::source::Source;
use crate::transfer::{Progress, Stage, Transfer};
use crate::transfers::{Inner, RETRY_AFTER, Transfers, Want, answered, dropped};

/// How long a caller waits for a turn and for the origin's header. By then the client for whom it was to
/// be there has mostly asked for it itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a prefetch began.
#[derive(Debug)]
pub struct Prefetched {
    /// [`Outcome::Hit`] if the object is stored, [`Outcome::Followed`] if it is on its way already.
    pub outcome: Outcome,
    /// The object's size in bytes, if it is known.
    pub size: Option<u64>,
    /// The origin's header fields, if this call made it answer.
    pub headers: Arc<HeaderMap>,
    /// Which of the source's requests was answered with them.
    pub origin: Option<usize>,
}

impl Transfers {
    /// Fetches an object before a client waits for it. Its transfer has a turn only while no client
    /// waits for one, and gives it back when one does; what came is kept for the next try. It is a
    /// client's from the moment on that one joins it. Returns when the origin has answered, or at once
    /// where there is nothing to do.
    ///
    /// # Errors
    /// As [`FillError`] says: [`FillError::Busy`] if too many wait or no turn comes soon,
    /// [`FillError::Yielded`] if a client needed the turn.
    pub async fn prefetch(&self, want: Want, source: Source) -> Result<Prefetched, FillError> {
        if let Some(size) = self.store().stat(&want.digest).await? {
            return Ok(Prefetched::without_asking(Outcome::Hit, Some(size)));
        }
        let Some((transfer, progress)) = self.0.start_spare(want, source)? else {
            return Ok(Prefetched::without_asking(Outcome::Followed, None));
        };
        match timeout(PATIENCE, begun(&transfer, progress)).await {
            Ok(begun) => begun,
            // In the queue it leaves that: nobody follows it any more.
            Err(_) => Err(FillError::Busy(RETRY_AFTER)),
        }
    }
}

impl Inner {
    /// Starts a transfer that no client waits for; nothing if one is on the table.
    fn start_spare(
        self: &Arc<Self>,
        want: Want,
        source: Source,
    ) -> Result<Option<Begun>, FillError> {
        let running = self.running();
        if running.contains_key(&want.digest) {
            return Ok(None);
        }
        let (mut job, asks) = Job::new(self, want, source, &[]);
        let entered = self.turns.enter_spare(job.origin());
        let (place, spare) = entered.map_err(|_| FillError::Busy(RETRY_AFTER))?;
        job.spare = Some(spare);
        self.counters.prefetched.one();
        Ok(Some(Self::launch(running, job, place, asks)))
    }
}

type Begun = (Arc<Transfer>, watch::Receiver<Progress>);

/// Waits for the origin's header.
async fn begun(
    transfer: &Transfer,
    mut progress: watch::Receiver<Progress>,
) -> Result<Prefetched, FillError> {
    let outcome = match answered(&mut progress).await? {
        Stage::Failed(error) => return Err(error),
        // All of it had been left by an earlier transfer.
        Stage::Stored(object) if transfer.head().is_none() => {
            let size = Some(object.size());
            return Ok(Prefetched::without_asking(Outcome::Hit, size));
        }
        Stage::Unkept(_) => Outcome::Bypass,
        Stage::Asking | Stage::Receiving | Stage::Verified | Stage::Stored(_) => Outcome::Started,
    };
    let head = transfer.head().ok_or_else(dropped)?;
    Ok(Prefetched {
        outcome,
        size: head.size,
        headers: head.headers,
        origin: head.origin,
    })
}

impl Prefetched {
    fn without_asking(outcome: Outcome, size: Option<u64>) -> Self {
        Self {
            outcome,
            size,
            headers: Arc::default(),
            origin: None,
        }
    }
}
