//! The table of running transfers: who starts one, and who joins.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_origin::Client;
use ledge_store::{BlobStore, Object};
use moka::sync::Cache;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::answer::{Answer, Outcome};
use crate::counts::{Counters, Counts};
use crate::error::FillError;
use crate::follow::Followed;
use crate::nearby::{Nearby, NearbyObject};
use crate::options::TransferOptions;
use crate::pace::Paces;
use crate::run::Job;
use crate::source::Source;
use crate::supply::Supply;
use crate::transfer::{Progress, Stage, Transfer};
use crate::turns::{Spare, Turns, Waiting};

/// What a caller wants.
#[derive(Clone, Debug)]
pub struct Want {
    /// The object's digest.
    pub digest: Digest,
    /// Its size in bytes, if the caller was told one.
    pub size: Option<u64>,
}

/// What [`Transfers::ingest`] stored.
#[derive(Debug)]
pub struct Ingested {
    /// The digest of the bytes.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// The origin's header fields; empty if the object was stored already.
    pub headers: HeaderMap,
    /// Which of the source's requests was answered with them.
    pub origin: Option<usize>,
}

/// The running transfers. Clones share them.
#[derive(Clone)]
pub struct Transfers(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: BlobStore,
    pub(crate) client: Client,
    nearby: Option<Arc<dyn Nearby>>,
    pub(crate) options: TransferOptions,
    pub(crate) counters: Arc<Counters>,
    pub(crate) turns: Turns,
    pub(crate) paces: Paces,
    /// Who brought wrong bytes of what: asked last the next time.
    pub(crate) suspects: Cache<Digest, Vec<String>>,
    /// For transfers that bring only ranges.
    pub(crate) seats: Arc<Semaphore>,
    running: Mutex<Table>,
}

pub(crate) type Table = HashMap<Digest, Running>;

pub(crate) struct Running {
    transfer: Arc<Transfer>,
    /// Given up by everybody, and about to end: nobody joins it any more.
    is_ending: bool,
    /// There while no client has joined it.
    spare: Option<Spare>,
}

/// Seconds after which a caller that found every place taken asks again: long
/// enough for some transfers to end, short enough for a client to wait.
pub const RETRY_AFTER: u32 = 5;

/// How many transfers may bring only ranges at a time. Each has a thread that waits for
/// what readers want next, half a minute after the last one left; 256 threads' stacks are
/// a few MiB.
pub const SEATS: usize = 256;

/// How many digests' suspects are remembered, and for how long: until the origin's
/// operators have mended it, or its caches forgot.
const SUSPECTS: u64 = 4096;
const SUSPECTED_FOR: Duration = Duration::from_secs(60 * 60);

/// A place with a transfer, or none.
enum Joined {
    Follows(Arc<Transfer>, watch::Receiver<Progress>, Outcome),
    /// It is ending: ask again when it has.
    Ending(watch::Receiver<Progress>),
}

/// A place with a transfer.
struct Place {
    transfer: Arc<Transfer>,
    progress: watch::Receiver<Progress>,
    outcome: Outcome,
    /// Whether the transfer asks what the caller would have asked.
    is_ours: bool,
}

impl Transfers {
    /// No transfer runs yet.
    #[must_use]
    pub fn new(store: BlobStore, client: Client, options: TransferOptions) -> Self {
        Self::with(store, client, None, options)
    }

    /// The same, where `nearby` is asked before any origin.
    #[must_use]
    pub fn near(
        store: BlobStore,
        client: Client,
        nearby: Arc<dyn Nearby>,
        options: TransferOptions,
    ) -> Self {
        Self::with(store, client, Some(nearby), options)
    }

    fn with(
        store: BlobStore,
        client: Client,
        nearby: Option<Arc<dyn Nearby>>,
        options: TransferOptions,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            client,
            nearby,
            options,
            counters: Arc::default(),
            turns: Turns::new(options.running, options.running_per_origin, options.waiting),
            paces: Paces::new(options.bandwidth, options.bandwidth_per_origin),
            suspects: Cache::builder()
                .max_capacity(SUSPECTS)
                .time_to_live(SUSPECTED_FOR)
                .build(),
            seats: Arc::new(Semaphore::new(SEATS)),
            running: Mutex::default(),
        }))
    }

    /// Where objects are kept.
    #[must_use]
    pub fn store(&self) -> &BlobStore {
        &self.0.store
    }

    /// What transfers did since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counters.read()
    }

    /// How many callers follow the running transfer of `digest`; `None` if none runs.
    #[must_use]
    pub fn followers(&self, digest: &Digest) -> Option<usize> {
        let running = self.0.running();
        running.get(digest).map(|one| one.transfer.followers())
    }

    /// An object from the store, from a running transfer, or by starting one.
    /// `ranges` as in `ledge:edge/blobs`: none is the whole object.
    ///
    /// # Errors
    /// As [`FillError`] says. A transfer that was started goes on after
    /// [`FillError::Unsatisfiable`], and when this future is dropped.
    pub async fn fill(
        &self,
        want: Want,
        source: Source,
        ranges: &[ByteRange],
    ) -> Result<Answer, FillError> {
        let question = source.question();
        let mut source = Some(source);
        loop {
            if let Some(object) = self.0.store.find(&want.digest).await? {
                return Answer::stored(&object, ranges);
            }
            match self.0.join_or_start(&want, &mut source, ranges)? {
                Joined::Follows(transfer, progress, outcome) => {
                    let is_ours = *transfer.question() == question;
                    let place = Place {
                        transfer,
                        progress,
                        outcome,
                        is_ours,
                    };
                    match self.0.follow(&want.digest, place, ranges).await {
                        Err(error) if !is_ours && error.is_of_the_source() => {}
                        answer => return answer,
                    }
                }
                Joined::Ending(mut progress) => {
                    // Closed: it is over, too.
                    let _ = progress.wait_for(|progress| progress.is_over()).await;
                }
            }
        }
    }
}

impl Transfers {
    /// An object from the store, or from a transfer that runs already: for another node. None if it is
    /// neither stored nor on its way.
    ///
    /// # Errors
    /// As [`FillError`] says.
    pub async fn share(
        &self,
        digest: &Digest,
        ranges: &[ByteRange],
    ) -> Result<Option<Answer>, FillError> {
        if let Some(object) = self.0.store.find(digest).await? {
            return Answer::stored(&object, ranges).map(Some);
        }
        let joined = self.0.join(&mut self.0.running(), digest);
        let Some(Joined::Follows(transfer, progress, outcome)) = joined else {
            // It may have ended between the two looks.
            let object = self.0.store.find(digest).await?;
            let answer = object.map(|object| Answer::stored(&object, ranges));
            return answer.transpose();
        };
        let place = Place {
            transfer,
            progress,
            outcome,
            is_ours: false,
        };
        self.0.follow(digest, place, ranges).await.map(Some)
    }
}

impl Inner {
    pub(crate) fn running(&self) -> MutexGuard<'_, Table> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `digest` is the object's, if it is known.
    pub(crate) fn supply(
        &self,
        source: Source,
        digest: Option<&Digest>,
        suspects: &[String],
    ) -> Supply {
        let (client, retries) = (self.client.clone(), self.options.retries);
        let nearby = digest.and_then(|digest| self.nearby(digest));
        Supply::new(client, nearby, source, suspects, &self.paces, retries)
    }

    fn nearby(&self, digest: &Digest) -> Option<Arc<dyn NearbyObject>> {
        Some(self.nearby.as_ref()?.object(digest))
    }

    /// An object was stored that could not be asked for nearby.
    pub(crate) fn tell_nearby(&self, digest: &Digest, object: &Object) {
        if let Some(nearby) = self.nearby(digest) {
            nearby.stored(object);
        }
    }

    fn join_or_start(
        self: &Arc<Self>,
        want: &Want,
        source: &mut Option<Source>,
        ranges: &[ByteRange],
    ) -> Result<Joined, FillError> {
        let mut running = self.running();
        if let Some(joined) = self.join(&mut running, &want.digest) {
            return Ok(joined);
        }
        let source = source.take().unwrap_or_default();
        let (job, asks) = Job::new(self, want.clone(), source, ranges);
        let place = self.turns.enter(job.origin());
        let place = place.map_err(|_| FillError::Busy(RETRY_AFTER))?;
        let (transfer, progress) = Self::launch(running, job, place, asks);
        Ok(Joined::Follows(transfer, progress, Outcome::Started))
    }

    /// None if none is on the table.
    fn join(&self, running: &mut Table, digest: &Digest) -> Option<Joined> {
        let entry = running.get_mut(digest)?;
        let progress = entry.transfer.watch();
        if entry.is_ending {
            return Some(Joined::Ending(progress));
        }
        self.counters.followed.one();
        if let Some(spare) = entry.spare.take() {
            spare.promote();
        }
        let transfer = entry.transfer.clone();
        Some(Joined::Follows(transfer, progress, Outcome::Followed))
    }

    /// Puts a transfer on the table, and runs it: it is the host's from here on, whatever becomes
    /// of the caller.
    pub(crate) fn launch(
        mut running: MutexGuard<'_, Table>,
        job: Job,
        place: Waiting,
        asks: mpsc::Receiver<Range<u64>>,
    ) -> (Arc<Transfer>, watch::Receiver<Progress>) {
        // Before it runs, so that it has a follower from the start.
        let (transfer, progress) = (job.transfer.clone(), job.transfer.watch());
        let entry = Running {
            transfer: transfer.clone(),
            is_ending: false,
            spare: job.spare.clone(),
        };
        running.insert(job.want.digest.clone(), entry);
        drop(running);
        tokio::spawn(job.run(place, asks));
        (transfer, progress)
    }

    /// Takes an ended transfer off the table, and only then tells who follows it: until
    /// then callers join it, and afterwards they find the object in the store.
    pub(crate) fn end(&self, digest: &Digest, transfer: &Transfer, stage: Stage) {
        self.running().remove(digest);
        transfer.enter(stage);
    }

    /// Wrong bytes came: whoever brought them is asked last the next time.
    pub(crate) fn suspect(&self, digest: &Digest, supply: &Supply) {
        self.counters.mismatched.one();
        self.suspects.insert(digest.clone(), supply.suspects());
        supply.wrong();
    }

    /// Decides that a transfer ends because nobody follows it; false if somebody does.
    pub(crate) fn give_up(&self, digest: &Digest, transfer: &Transfer) -> bool {
        let mut running = self.running();
        let Some(entry) = running.get_mut(digest) else {
            return true;
        };
        entry.is_ending = transfer.followers() == 0;
        entry.is_ending
    }

    /// Decides that a transfer ends because its turn is needed; false if a client has joined it.
    pub(crate) fn yield_turn(&self, digest: &Digest) -> bool {
        let mut running = self.running();
        let Some(entry) = running.get_mut(digest) else {
            return true;
        };
        entry.is_ending |= entry.spare.is_some();
        entry.is_ending
    }

    /// Waits for the origin's header, and answers from the transfer.
    async fn follow(
        &self,
        digest: &Digest,
        place: Place,
        ranges: &[ByteRange],
    ) -> Result<Answer, FillError> {
        let Place {
            transfer,
            mut progress,
            outcome,
            is_ours,
        } = place;
        let stage = answered(&mut progress).await?;
        let outcome = match &stage {
            Stage::Failed(error) => return Err(error.clone()),
            Stage::Stored(object) => {
                let answer = Answer::stored(object, ranges)?;
                return Ok(match transfer.head() {
                    Some(head) => answer.fetched(outcome, head, is_ours),
                    None => answer,
                });
            }
            Stage::Unkept(_) => Outcome::Bypass,
            Stage::Asking | Stage::Receiving | Stage::Verified => outcome,
        };
        let head = transfer.head().ok_or_else(dropped)?;
        if head.size == Some(0) {
            // Nothing could be held back of it.
            verified(&mut progress).await?;
        }
        // Without a file it will be unkept, though that may not be said yet.
        let outcome = head.file.as_ref().map_or(Outcome::Bypass, |_| outcome);
        if outcome == Outcome::Bypass {
            self.counters.unkept.one();
        }
        let followed = Followed {
            digest: digest.clone(),
            transfer,
            progress,
            counters: self.counters.clone(),
            file: head.file.clone(),
            size: head.size,
        };
        Answer::following(followed, ranges, outcome, head, is_ours)
    }
}

/// Waits until the origin has answered; how far the transfer is then.
pub(crate) async fn answered(progress: &mut watch::Receiver<Progress>) -> Result<Stage, FillError> {
    let answered = progress.wait_for(|progress| !matches!(progress.stage, Stage::Asking));
    let progress = answered.await.map_err(|_| dropped())?;
    Ok(progress.stage.clone())
}

pub(crate) fn dropped() -> FillError {
    FillError::Unreachable("the transfer was dropped".to_owned())
}

/// Waits until the digest of an empty object was compared.
async fn verified(progress: &mut watch::Receiver<Progress>) -> Result<(), FillError> {
    let progress = progress
        .wait_for(|progress| progress.is_verified() || progress.is_over())
        .await
        .map_err(|_| dropped())?;
    match &progress.stage {
        Stage::Failed(error) => Err(error.clone()),
        _ if progress.is_verified() => Ok(()),
        _ => Err(FillError::Mismatch("there are none".to_owned())),
    }
}
