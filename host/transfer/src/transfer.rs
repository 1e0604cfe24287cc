//! One running transfer: what its followers see of it, and what they may ask of it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http::HeaderMap;
use ledge_store::{Object, OpenFile};
use rangemap::RangeSet;
use tokio::sync::{Notify, mpsc, watch};

use crate::counts::Counters;
use crate::error::FillError;
use crate::plan::{ClaimId, Plan};
use crate::source::Question;
use crate::stream::OriginStream;
use crate::supply::Supply;
use crate::turns::{Turn, Turns};
use ledge_core::hash::Hasher;

/// How many of an object's last bytes wait until its digest is right, so that
/// no client can take a wrong object for a whole one. One would do; a block
/// this long also keeps every object up to that size from being sent in part.
pub(crate) const HELD_BACK: u64 = 16 * 1024;

/// How many followers' wishes may wait to be looked at. One that is lost is said
/// again with the next progress.
const ASKS: usize = 256;

/// What the origin's header said.
#[derive(Clone)]
pub(crate) struct Head {
    /// The object's length, where the origin or the caller named one.
    pub(crate) size: Option<u64>,
    pub(crate) headers: Arc<HeaderMap>,
    /// Which of the source's requests was answered; none if no origin was asked.
    pub(crate) origin: Option<usize>,
    /// The partial file, from which followers read; none if there is no room for it.
    pub(crate) file: Option<Arc<OpenFile>>,
}

/// How far a transfer is.
#[derive(Clone)]
pub(crate) enum Stage {
    /// Waiting for its turn, or for the origin's header.
    Asking,
    /// Bytes arrive; the header is in.
    Receiving,
    /// The digest is right; the object is being made durable.
    Verified,
    /// The object is in the store.
    Stored(Object),
    /// The disk takes no more. Followers get the rest themselves.
    Unkept(Arc<Rest>),
    /// It is over, and nothing was stored.
    Failed(FillError),
}

/// What it takes to go on without a disk.
pub(crate) struct Rest {
    pub(crate) supply: Arc<Supply>,
    pub(crate) turns: Turns,
    /// Whether all of it is in the file, and right; it could only not be made durable.
    pub(crate) is_whole: bool,
    /// Of the first `hashed` bytes, which are in the file.
    pub(crate) hasher: Hasher,
    pub(crate) hashed: u64,
    /// An answer that came already, for the follower that can use it.
    pub(crate) opened: Mutex<Option<OriginStream>>,
}

/// What followers wait on.
pub(crate) struct Progress {
    pub(crate) stage: Stage,
    /// Which bytes are in the partial file.
    pub(crate) present: RangeSet<u64>,
}

/// A transfer that callers may follow.
pub(crate) struct Transfer {
    /// Of the source that it was started with.
    question: Question,
    progress: watch::Sender<Progress>,
    head: OnceLock<Head>,
    plan: Mutex<Plan>,
    /// A claim ended: there may be something to bring.
    released: Notify,
    asks: mpsc::Sender<Range<u64>>,
    /// Whether somebody wants all of it.
    whole: AtomicBool,
    wants_whole: Notify,
    /// Whether origins answer ranges.
    ranges: AtomicBool,
}

impl Transfer {
    /// One that nobody runs yet, and what its followers will ask for: bytes far ahead.
    pub(crate) fn new(question: Question) -> (Arc<Self>, mpsc::Receiver<Range<u64>>) {
        let (progress, _) = watch::channel(Progress {
            stage: Stage::Asking,
            present: RangeSet::new(),
        });
        let (sender, asks) = mpsc::channel(ASKS);
        let transfer = Arc::new(Self {
            question,
            progress,
            head: OnceLock::new(),
            plan: Mutex::new(Plan::new(0, None)),
            released: Notify::new(),
            asks: sender,
            whole: AtomicBool::new(false),
            wants_whole: Notify::new(),
            ranges: AtomicBool::new(true),
        });
        (transfer, asks)
    }

    pub(crate) fn question(&self) -> &Question {
        &self.question
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// How many follow it, or wait for its header.
    pub(crate) fn followers(&self) -> usize {
        self.progress.receiver_count()
    }

    /// Until nobody follows it.
    pub(crate) async fn left(&self) {
        self.progress.closed().await;
    }

    /// The header, once it is in.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head.get().cloned()
    }

    /// The origin's header is in: followers may answer. `prefix` bytes are in the file.
    pub(crate) fn begin(&self, head: Head, prefix: u64) {
        let _ = self.head.set(head);
        self.progress.send_modify(|progress| {
            if prefix > 0 {
                progress.present.insert(0..prefix);
            }
            progress.stage = Stage::Receiving;
        });
    }

    /// More bytes are in the file.
    pub(crate) fn publish(&self, spans: impl Iterator<Item = Range<u64>>) {
        self.progress
            .send_modify(|progress| spans.for_each(|span| progress.present.insert(span)));
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.progress.send_modify(|progress| progress.stage = stage);
    }

    /// Has every follower look again.
    pub(crate) fn touch(&self) {
        self.progress.send_modify(|_| {});
    }

    /// A follower wants all of it.
    pub(crate) fn want_whole(&self) {
        if !self.whole.swap(true, Ordering::AcqRel) {
            self.wants_whole.notify_one();
        }
    }

    /// Until somebody wants all of it.
    pub(crate) async fn whole_wanted(&self) {
        if !self.whole.load(Ordering::Acquire) {
            self.wants_whole.notified().await;
        }
    }

    /// A follower waits for `at` and wants the bytes up to `until`: if they are far
    /// ahead, somebody is sent for them.
    pub(crate) fn ask(&self, at: u64, until: u64) {
        if self.ranges.load(Ordering::Relaxed) && self.plan().wanted(at, until).is_some() {
            // Full: said again with the next progress.
            let _ = self.asks.try_send(at..until);
        }
    }

    /// Origins answer ranges with the whole: nobody is sent ahead any more.
    pub(crate) fn forget_ranges(&self) {
        self.ranges.store(false, Ordering::Relaxed);
    }

    pub(crate) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a span.
    pub(crate) fn claim(self: &Arc<Self>, span: Range<u64>) -> Claim {
        let id = self.plan().claim(span);
        Claim {
            transfer: self.clone(),
            id,
        }
    }

    /// Claims the first bytes that nobody brings yet, and waits while there are none.
    /// `None` when all are there.
    pub(crate) async fn claim_gap(self: &Arc<Self>, pieces: bool) -> Option<Claim> {
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            // Before the look, so that no release in between is missed.
            released.as_mut().enable();
            {
                let mut plan = self.plan();
                if let Some(gap) = plan.gap(pieces) {
                    let id = plan.claim(gap);
                    let transfer = self.clone();
                    return Some(Claim { transfer, id });
                }
                if plan.is_complete() {
                    return None;
                }
            }
            released.await;
        }
    }
}

/// A span that somebody brings; given back when it is dropped.
pub(crate) struct Claim {
    transfer: Arc<Transfer>,
    id: ClaimId,
}

impl Claim {
    /// What is still to be brought.
    pub(crate) fn left(&self) -> Range<u64> {
        self.transfer.plan().left(self.id)
    }

    /// These bytes came; which of them are new.
    pub(crate) fn arrived(&self, span: Range<u64>) -> Vec<Range<u64>> {
        self.transfer.plan().arrived(self.id, span)
    }

    /// The object ends here.
    pub(crate) fn learn(&self, size: u64) {
        self.transfer.plan().learn(size);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.transfer.plan().release(self.id);
        self.transfer.released.notify_waiters();
    }
}

impl Progress {
    /// Where the bytes end that are there from `at` on; `at` if that one is missing.
    pub(crate) fn present_from(&self, at: u64) -> u64 {
        self.present.get(&at).map_or(at, |span| span.end)
    }

    /// How many bytes, from the first on, a reader of the whole object may have.
    pub(crate) fn released(&self, size: Option<u64>) -> u64 {
        let front = self.present_from(0);
        match (&self.stage, size) {
            (Stage::Verified | Stage::Stored(_), _) => front,
            (_, Some(size)) => front.min(size.saturating_sub(HELD_BACK)),
            (_, None) => front.saturating_sub(HELD_BACK),
        }
    }

    pub(crate) fn is_verified(&self) -> bool {
        match &self.stage {
            Stage::Verified | Stage::Stored(_) => true,
            Stage::Unkept(rest) => rest.is_whole,
            Stage::Asking | Stage::Receiving | Stage::Failed(_) => false,
        }
    }

    /// Whether the transfer has ended.
    pub(crate) fn is_over(&self) -> bool {
        matches!(
            self.stage,
            Stage::Stored(_) | Stage::Unkept(_) | Stage::Failed(_)
        )
    }

    /// How many bytes are there, wherever they lie.
    pub(crate) fn held(&self) -> u64 {
        self.present.iter().map(|span| span.end - span.start).sum()
    }
}

impl Rest {
    /// A request of one's own takes a turn like any other.
    pub(crate) async fn turn(&self) -> Turn {
        self.turns.follow_up(self.supply.first()).turn().await
    }

    /// The bytes from `at` on.
    pub(crate) fn stream(&self, at: u64, counters: &Arc<Counters>) -> OriginStream {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = opened.take_if(|stream| stream.at() == at);
        opened.unwrap_or_else(|| OriginStream::from(self.supply.clone(), counters.clone(), at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    #[test]
    fn the_last_bytes_wait_for_the_digest() {
        let at = |stage, front: u64| Progress {
            stage,
            present: (front > 0).then_some(0..front).into_iter().collect(),
        };
        let size = Some(1_000_000);
        let held = 1_000_000 - HELD_BACK;
        assert_eq!(at(Stage::Receiving, 500).released(size), 500);
        assert_eq!(at(Stage::Receiving, 1_000_000).released(size), held);
        assert_eq!(at(Stage::Verified, 1_000_000).released(size), 1_000_000);
        assert_eq!(at(Stage::Receiving, 100).released(Some(100)), 0);
        assert_eq!(at(Stage::Receiving, HELD_BACK + 7).released(None), 7);
    }

    #[test]
    fn what_lies_behind_a_hole_is_no_front() {
        let progress = Progress {
            stage: Stage::Receiving,
            present: [0..10, 20..30].into_iter().collect(),
        };
        assert_eq!(progress.present_from(0), 10);
        assert_eq!(progress.present_from(10), 10);
        assert_eq!(progress.present_from(25), 30);
        assert_eq!(progress.held(), 20);
    }

    #[tokio::test]
    async fn a_gap_is_waited_for_until_a_claim_ends() {
        let (transfer, _asks) = Transfer::new(Source::default().question());
        transfer.plan().learn(100);
        let whole = transfer.claim_gap(false).await.expect("a gap");
        assert_eq!(whole.left(), 0..100);
        let waiting = tokio::spawn({
            let transfer = transfer.clone();
            async move { transfer.claim_gap(false).await.map(|claim| claim.left()) }
        });
        tokio::task::yield_now().await;
        whole.arrived(0..40);
        drop(whole);
        assert_eq!(waiting.await.expect("no panic"), Some(40..100));
    }
}
