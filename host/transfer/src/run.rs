//! The life of one transfer, from its turn to its end.

use std::future::pending;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use ledge_core::range::ByteRange;
use ledge_store::{Object, Partial, StoreError};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};

use crate::courier::{Load, fill_gaps};
use crate::crew::{Crew, Done, End, Written};
use crate::ending::Ending;
use crate::error::FillError;
use crate::hash::Hasher;
use crate::plan::{Plan, piece_end};
use crate::room::Reserved;
use crate::source::Source;
use crate::stream::OriginStream;
use crate::supply::{Opened, Portion, Supply};
use crate::transfer::{Head, Rest, Stage, Transfer};
use crate::transfers::{Inner, Want};
use crate::turns::Waiting;
use crate::writer::{Feed, Full, QUEUE, Unwritten, Writer, full, take_up};

/// How many are sent ahead at a time for one object: lazy pullers read as many
/// ranges in parallel, and an origin bears as many connections from one client.
const AHEAD: usize = 8;

/// How many fill gaps at a time where the object comes in pieces: while one waits for
/// its next piece's header, the other keeps the link busy.
const LANES: usize = 2;

/// How long a transfer that brings only ranges outlives its last client: lazy pullers
/// read, pause, and read on.
const LINGER: Duration = Duration::from_secs(30);

/// A transfer that is to be run.
pub(crate) struct Job {
    inner: Arc<Inner>,
    want: Want,
    supply: Arc<Supply>,
    /// What the caller who starts it wants, if that is one range or starts with one.
    range: Option<ByteRange>,
    transfer: Arc<Transfer>,
}

/// What was left by an earlier transfer, or the beginning of a new one.
struct Ground {
    partial: Option<Partial>,
    hasher: Hasher,
    hashed: u64,
}

impl Job {
    pub(crate) fn new(
        inner: &Arc<Inner>,
        want: Want,
        source: Source,
        ranges: &[ByteRange],
        transfer: Arc<Transfer>,
    ) -> Self {
        let suspects = inner.suspects.get(&want.digest).unwrap_or_default();
        let supply = inner.supply(source, &suspects);
        Self {
            inner: inner.clone(),
            want,
            supply: Arc::new(supply),
            range: ranges.first().copied(),
            transfer,
        }
    }

    /// Host and port of the origin whose turns it takes.
    pub(crate) fn origin(&self) -> &str {
        self.supply.first()
    }

    /// Runs to the end. `asks` are what followers want of what is far ahead.
    pub(crate) async fn run(self, place: Waiting, asks: mpsc::Receiver<Range<u64>>) {
        let ending = Ending::of(
            self.inner.clone(),
            self.supply.clone(),
            self.want.digest.clone(),
            self.transfer.clone(),
        );
        let turn = place.turn().await;
        let stage = self.carry_out(asks).await.unwrap_or_else(Stage::Failed);
        drop(turn);
        ending.with(stage);
    }

    async fn carry_out(self, asks: mpsc::Receiver<Range<u64>>) -> Result<Stage, FillError> {
        // Another transfer may have ended between the caller's look and this start.
        if let Some(object) = self.inner.store.find(&self.want.digest).await? {
            return Ok(Stage::Stored(object));
        }
        let ground = self.ground().await;
        let opened = self.supply.open(self.portion(ground.hashed)).await;
        let agreed = opened.and_then(|opened| {
            let size = agreed_size(self.want.size, opened.size)?;
            Ok((opened, size))
        });
        let (opened, size) = match agreed {
            Ok(agreed) => agreed,
            Err(error) => {
                ground.leave();
                return Err(error);
            }
        };
        let crew = self.begin(ground, opened, size);
        self.attend(crew, asks).await
    }

    /// What an earlier transfer left, as far as it is right.
    async fn ground(&self) -> Ground {
        let (store, digest) = (self.inner.store.clone(), self.want.digest.clone());
        let hasher = Hasher::new(digest.algorithm());
        let left = blocking(move || match store.resume(&digest)? {
            Some(left) => take_up(left.partial, &left.marks, hasher).map(Some),
            None => Ok(None),
        });
        let left = left.await.unwrap_or_else(|error| {
            tracing::warn!(digest = %self.want.digest, %error, "nothing can be taken up");
            None
        });
        let Some((partial, hasher, hashed)) = left else {
            return Ground {
                partial: None,
                hasher: Hasher::new(self.want.digest.algorithm()),
                hashed: 0,
            };
        };
        if hashed > 0 {
            self.inner.counters.taken_up.one();
            tracing::info!(digest = %self.want.digest, at = hashed, "a transfer is taken up where it stopped");
        }
        Ground {
            partial: Some(partial),
            hasher,
            hashed,
        }
    }

    /// What the first request asks for: what the caller waits for, or where an earlier
    /// transfer stopped.
    fn portion(&self, hashed: u64) -> Portion {
        match self.range {
            _ if hashed > 0 => {
                Portion::span(hashed, self.range.map_or(u64::MAX, |_| piece_end(hashed)))
            }
            None => Portion::Whole,
            Some(ByteRange::From(at)) => Portion::span(at, piece_end(at)),
            Some(ByteRange::Between(at, last)) => {
                Portion::span(at, last.saturating_add(1).min(piece_end(at)))
            }
            Some(last @ ByteRange::Last(_)) => Portion::Range(last),
        }
    }

    /// Starts the writer and whoever brings bytes; followers may answer.
    fn begin(&self, ground: Ground, opened: Opened, size: Option<u64>) -> Crew {
        let transfer = &self.transfer;
        *transfer.plan() = Plan::new(ground.hashed, size);
        let asked_range = self.range.is_some() || ground.hashed > 0;
        if asked_range && !opened.ranged {
            transfer.forget_ranges();
        }
        let pieces = opened.ranged && self.range.is_some();
        let (feed, queue) = mpsc::channel(QUEUE);
        let headers = Arc::new(opened.headers.clone());
        let mut crew = Crew {
            couriers: JoinSet::new(),
            feed,
            writer: self.write(ground, size, headers, queue),
            whole: !pieces || size.is_none_or(|size| self.inner.options.ranges.fetch_whole(size)),
            pieces,
            ahead: 0,
        };
        let claim = transfer.claim(opened.span.clone());
        let stream = OriginStream::of(self.supply.clone(), self.inner.counters.clone(), opened);
        let load = Load { claim, stream };
        if crew.whole {
            self.fill_gaps(&mut crew, Some(load));
        } else {
            crew.send_ahead(load, None);
        }
        crew
    }

    /// Starts the writer. Where there is no room for the object, followers get it themselves.
    fn write(
        &self,
        ground: Ground,
        size: Option<u64>,
        headers: Arc<HeaderMap>,
        queue: mpsc::Receiver<Feed>,
    ) -> JoinHandle<Result<Object, Unwritten>> {
        let (inner, digest, transfer) = (
            self.inner.clone(),
            self.want.digest.clone(),
            self.transfer.clone(),
        );
        spawn_blocking(move || {
            let need = size.map_or(0, |size| size.saturating_sub(ground.hashed));
            let made = inner.reserve(need).and_then(|reserved| {
                let partial = ground
                    .partial
                    .map_or_else(|| inner.store.begin(&digest), Ok)?;
                Ok((partial, reserved))
            });
            let file = made
                .as_ref()
                .ok()
                .map(|(partial, _)| partial.file().clone());
            let head = Head {
                size,
                headers,
                file,
            };
            let (partial, reserved) = match made {
                Ok(made) => made,
                Err(error) => {
                    transfer.begin(head, 0);
                    let hasher = Hasher::new(digest.algorithm());
                    return Err(full(error, hasher, 0));
                }
            };
            transfer.begin(head, ground.hashed);
            let writer = Writer {
                digest,
                size,
                partial,
                hasher: ground.hasher,
                hashed: ground.hashed,
                transfer,
                reserved,
            };
            writer.run(queue)
        })
    }

    /// From now on the object is fetched whole.
    fn fill_gaps(&self, crew: &mut Crew, first: Option<Load>) {
        crew.whole = true;
        let lanes = if crew.pieces { LANES } else { 1 };
        let mut first = first;
        for _ in 0..lanes {
            let (transfer, feed, first) = (self.transfer.clone(), crew.feed.clone(), first.take());
            let (supply, counters) = (self.supply.clone(), self.inner.counters.clone());
            let stream = move |at| OriginStream::from(supply.clone(), counters.clone(), at);
            let pieces = crew.pieces;
            crew.couriers.spawn(async move {
                Done::Lane(fill_gaps(transfer, first, pieces, feed, stream).await)
            });
        }
    }

    /// Sends somebody for bytes far ahead, if they are still wanted and there is a turn.
    fn send_ahead(&self, crew: &mut Crew, asked: &Range<u64>) {
        if crew.ahead >= AHEAD {
            return;
        }
        // The transfer's own turn is for one of them, while nobody fills gaps.
        let turn = if crew.whole || crew.ahead > 0 {
            let Some(turn) = self.inner.turns.try_turn(self.origin()) else {
                return;
            };
            Some(turn)
        } else {
            None
        };
        let transfer = &self.transfer;
        let Some(span) = transfer.plan().wanted(asked.start, asked.end) else {
            return;
        };
        self.inner.counters.sides.one();
        let (supply, counters) = (self.supply.clone(), self.inner.counters.clone());
        let mut stream = OriginStream::from(supply, counters, span.start);
        if crew.whole {
            stream = stream.impatient();
        }
        let claim = transfer.claim(span);
        crew.send_ahead(Load { claim, stream }, turn);
    }

    /// Stays with the transfer until it is written, fails, or is left by everybody.
    async fn attend(
        self,
        mut crew: Crew,
        mut asks: mpsc::Receiver<Range<u64>>,
    ) -> Result<Stage, FillError> {
        let end = loop {
            tokio::select! {
                biased;
                written = &mut crew.writer => break End::Written(written),
                Some(asked) = asks.recv() => self.send_ahead(&mut crew, &asked),
                Some(done) = crew.couriers.join_next() => {
                    if let Err(error) = crew.ended(done, &self.transfer) {
                        break End::Failed(error);
                    }
                }
                () = self.transfer.whole_wanted(), if !crew.whole => self.fill_gaps(&mut crew, None),
                () = self.abandoned(crew.whole) => break End::Failed(FillError::Abandoned),
            }
        };
        let (written, why) = crew.dismiss(end).await;
        self.stage(written, why)
    }

    /// Until nobody follows, and the transfer does not go on without.
    async fn abandoned(&self, whole: bool) {
        let transfer = &self.transfer;
        loop {
            transfer.left().await;
            if whole {
                let (held, size) = (transfer.watch().borrow().held(), transfer.head());
                let size = size.and_then(|head| head.size);
                if self.inner.options.abandoned.goes_on(held, size) {
                    // More bytes only make it more so.
                    return pending().await;
                }
            } else {
                tokio::time::sleep(LINGER).await;
            }
            if self.inner.give_up(&self.want.digest, transfer) {
                return;
            }
        }
    }

    /// What becomes of the transfer.
    fn stage(&self, written: Written, why: Option<FillError>) -> Result<Stage, FillError> {
        match written {
            Ok(Ok(object)) => Ok(Stage::Stored(object)),
            Ok(Err(Unwritten::Wrong(error))) => Err(error),
            Ok(Err(Unwritten::Full(full))) => {
                let Full {
                    error,
                    hasher,
                    hashed,
                } = *full;
                tracing::warn!(digest = %self.want.digest, %error, "clients are served without storing");
                Ok(Stage::Unkept(Arc::new(Rest {
                    supply: self.supply.clone(),
                    is_whole: hasher.digest() == self.want.digest,
                    hasher,
                    hashed,
                })))
            }
            Ok(Err(Unwritten::Broken)) => Err(why.unwrap_or(FillError::Abandoned)),
            Err(error) => Err(FillError::Store(error.to_string())),
        }
    }
}

impl Ground {
    /// Leaves what there was to the next try.
    fn leave(self) {
        if let Some(partial) = self.partial {
            partial.keep();
        }
    }
}

impl Inner {
    /// Room for `need` more bytes. Blocking.
    fn reserve(&self, need: u64) -> Result<Reserved, FillError> {
        let free = self.store.free_space()?;
        self.room.reserve(free, need).ok_or(FillError::NoSpace)
    }
}

/// A length that the caller was told and another one of the origin's is a wrong
/// object: known before the first byte.
fn agreed_size(wanted: Option<u64>, announced: Option<u64>) -> Result<Option<u64>, FillError> {
    match (wanted, announced) {
        (Some(wanted), Some(announced)) if wanted != announced => Err(FillError::Mismatch(
            format!("{announced} are announced where {wanted} were promised"),
        )),
        (wanted, announced) => Ok(announced.or(wanted)),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, FillError> {
    let done = spawn_blocking(work).await;
    let done = done.map_err(|error| FillError::Store(error.to_string()))?;
    Ok(done?)
}
