//! The life of one transfer, from its turn to its end.

use std::fs::File;
use std::future::pending;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledge_core::range::ByteRange;
use ledge_store::Partial;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use crate::courier::{Load, fill_gaps};
use crate::crew::{Crew, Done, End, Pass, Written};
use crate::ending::Ending;
use crate::error::FillError;
use crate::ground::{Left, Site};
use crate::hash::Hasher;
use crate::plan::{Plan, piece_end};
use crate::room::Reserved;
use crate::source::Source;
use crate::stream::OriginStream;
use crate::supply::{Opened, Portion, Supply};
use crate::transfer::{Head, Rest, Stage, Transfer};
use crate::transfers::{Inner, RETRY_AFTER, Want};
use crate::turns::{Turn, Waiting};
use crate::writer::{QUEUE, Unwritten, Writer};

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

/// The file that the bytes go to.
struct Desk {
    partial: Partial,
    reserved: Reserved,
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
        let stage = self.carry_out(turn, asks).await;
        let stage = stage.unwrap_or_else(Stage::Failed);
        ending.with(stage);
    }

    async fn carry_out(
        self,
        turn: Turn,
        asks: mpsc::Receiver<Range<u64>>,
    ) -> Result<Stage, FillError> {
        // Another transfer may have ended between the caller's look and this start.
        if let Some(object) = self.inner.store.find(&self.want.digest).await? {
            return Ok(Stage::Stored(object));
        }
        self.inner.counters.started.one();
        let digest = &self.want.digest;
        let left = Left::find(&self.inner, digest).await;
        let (hasher, hashed) = (left.hasher, left.hashed);
        // Beside the request: the file is there before the answer is.
        let (opened, site) = tokio::join!(
            self.open(self.portion(hashed)),
            Site::choose(&self.inner, digest, left.partial)
        );
        let (opened, size) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                site.into_iter().for_each(Site::leave);
                return Err(error);
            }
        };
        let need = size.map_or(0, |size| size.saturating_sub(hashed));
        match site.and_then(|site| site.reserve(&self.inner, need)) {
            Ok((partial, reserved)) => {
                let desk = Desk {
                    partial,
                    reserved,
                    hasher,
                    hashed,
                };
                let crew = self.begin(turn, desk, opened, size);
                self.attend(crew, asks).await
            }
            Err(error) => {
                self.publish(&opened, size, None, 0);
                let hasher = Hasher::new(digest.algorithm());
                let (supply, counters) = (self.supply.clone(), self.inner.counters.clone());
                let stream = OriginStream::of(supply, counters, opened);
                Ok(self.unkept(&error, hasher, 0, Some(stream)))
            }
        }
    }

    /// The first endpoint's answer, and the object's size as it and the caller say.
    async fn open(&self, portion: Portion) -> Result<(Opened, Option<u64>), FillError> {
        let takes_whole = |size| self.inner.options.ranges.fetch_whole(size);
        let opened = self.supply.open(portion, takes_whole).await?;
        let size = agreed_size(self.want.size, opened.size)?;
        Ok((opened, size))
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
    fn begin(&self, turn: Turn, desk: Desk, opened: Opened, size: Option<u64>) -> Crew {
        let transfer = &self.transfer;
        *transfer.plan() = Plan::new(desk.hashed, size);
        self.publish(&opened, size, Some(desk.partial.file()), desk.hashed);
        let asked_range = self.range.is_some() || desk.hashed > 0;
        if asked_range && !opened.ranged {
            transfer.forget_ranges();
        }
        let pieces = opened.ranged && self.range.is_some();
        let (feed, queue) = mpsc::channel(QUEUE);
        let writer = Writer {
            digest: self.want.digest.clone(),
            size,
            partial: desk.partial,
            hasher: desk.hasher,
            hashed: desk.hashed,
            transfer: transfer.clone(),
            reserved: desk.reserved,
        };
        let mut crew = Crew {
            couriers: JoinSet::new(),
            feed,
            writer: spawn_blocking(move || writer.run(queue)),
            whole: !pieces || size.is_none_or(|size| self.inner.options.ranges.fetch_whole(size)),
            pieces,
            ahead: 0,
        };
        let claim = transfer.claim(opened.span.clone());
        let stream = OriginStream::of(self.supply.clone(), self.inner.counters.clone(), opened);
        let load = Load { claim, stream };
        let pass = Pass::Has(Arc::new(turn));
        if crew.whole {
            self.fill_gaps(&mut crew, Some(load), pass);
        } else {
            crew.send_ahead(load, pass);
        }
        crew
    }

    /// The origin's header is in: followers may answer.
    fn publish(&self, opened: &Opened, size: Option<u64>, file: Option<&Arc<File>>, prefix: u64) {
        let head = Head {
            size,
            headers: Arc::new(opened.headers.clone()),
            file: file.cloned(),
        };
        self.transfer.begin(head, prefix);
    }

    /// From now on the object is fetched whole.
    fn fill_gaps(&self, crew: &mut Crew, mut first: Option<Load>, pass: Pass) {
        crew.whole = true;
        match pass {
            Pass::Has(turn) if crew.pieces => {
                for _ in 0..LANES {
                    self.fill_lane(crew, first.take(), Pass::Has(turn.clone()));
                }
            }
            pass => self.fill_lane(crew, first, pass),
        }
    }

    fn fill_lane(&self, crew: &mut Crew, first: Option<Load>, pass: Pass) {
        let (transfer, feed, pieces) = (self.transfer.clone(), crew.feed.clone(), crew.pieces);
        let (supply, counters) = (self.supply.clone(), self.inner.counters.clone());
        let stream = move |at| OriginStream::from(supply.clone(), counters.clone(), at);
        crew.couriers.spawn(async move {
            let _turn = pass.turn().await;
            Done::Lane(fill_gaps(transfer, first, pieces, feed, stream).await)
        });
    }

    /// Somebody wants all of an object of which only ranges were fetched.
    fn begin_whole(&self, crew: &mut Crew) -> Result<(), FillError> {
        let pass = self.queue()?;
        self.fill_gaps(crew, None, pass);
        Ok(())
    }

    /// Sends somebody for bytes far ahead, if they are still wanted and there is a turn: at
    /// once, where others bring the same bytes later; else whenever it comes.
    fn send_ahead(&self, crew: &mut Crew, asked: &Range<u64>) -> Result<(), FillError> {
        if crew.ahead >= AHEAD {
            return Ok(());
        }
        let Some(span) = self.transfer.plan().wanted(asked.start, asked.end) else {
            return Ok(());
        };
        let pass = if crew.whole {
            let Some(turn) = self.inner.turns.try_turn(self.origin()) else {
                return Ok(());
            };
            Pass::Has(Arc::new(turn))
        } else {
            self.queue()?
        };
        self.inner.counters.sides.one();
        let (supply, counters) = (self.supply.clone(), self.inner.counters.clone());
        let mut stream = OriginStream::from(supply, counters, span.start);
        if crew.whole {
            stream = stream.impatient();
        }
        let claim = self.transfer.claim(span);
        crew.send_ahead(Load { claim, stream }, pass);
        Ok(())
    }

    fn queue(&self) -> Result<Pass, FillError> {
        let place = self.inner.turns.enter(self.origin());
        place
            .map(Pass::Waits)
            .map_err(|_| FillError::Busy(RETRY_AFTER))
    }

    /// Stays with the transfer until it is written, fails, or is left by everybody.
    async fn attend(
        self,
        mut crew: Crew,
        mut asks: mpsc::Receiver<Range<u64>>,
    ) -> Result<Stage, FillError> {
        let end = loop {
            let went_on = tokio::select! {
                biased;
                written = &mut crew.writer => break End::Written(written),
                Some(asked) = asks.recv() => self.send_ahead(&mut crew, &asked),
                Some(done) = crew.couriers.join_next() => crew.ended(done, &self.transfer),
                () = self.transfer.whole_wanted(), if !crew.whole => self.begin_whole(&mut crew),
                () = self.abandoned(crew.whole) => Err(FillError::Abandoned),
            };
            if let Err(error) = went_on {
                break End::Failed(error);
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
            Ok(Ok(object)) => {
                self.inner.counters.stored.one();
                Ok(Stage::Stored(object))
            }
            Ok(Err(Unwritten::Wrong(error))) => Err(error),
            Ok(Err(Unwritten::Full(full))) => {
                Ok(self.unkept(&full.error, full.hasher, full.hashed, None))
            }
            Ok(Err(Unwritten::Broken)) => Err(why.unwrap_or(FillError::Abandoned)),
            Err(error) => Err(FillError::Store(error.to_string())),
        }
    }

    /// The disk takes no more: from now on followers get what they miss themselves.
    fn unkept(
        &self,
        error: &FillError,
        hasher: Hasher,
        hashed: u64,
        opened: Option<OriginStream>,
    ) -> Stage {
        tracing::warn!(digest = %self.want.digest, %error, "clients are served without storing");
        Stage::Unkept(Arc::new(Rest {
            supply: self.supply.clone(),
            is_whole: hasher.digest() == self.want.digest,
            hasher,
            hashed,
            opened: Mutex::new(opened),
        }))
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
