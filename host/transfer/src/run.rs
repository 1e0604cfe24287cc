//! The life of one transfer, from its turn to its end.

use std::future::pending;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledge_core::range::ByteRange;
use ledge_store::Keeping;
use tokio::sync::mpsc;

use crate::courier::{Load, fill_gaps};
use crate::crew::{Crew, Done, End, Pass, Written};
use crate::ending::Ending;
use crate::error::FillError;
use crate::source::Source;
use crate::stream::OriginStream;
use crate::supply::Supply;
use crate::transfer::{Rest, Stage, Transfer};
use crate::transfers::{Inner, Want};
use crate::turns::{Spare, Waiting};
use crate::writer::Unwritten;
use ledge_core::hash::Hasher;

/// How many fill gaps at a time where the object comes in pieces: while one waits for
/// its next piece's header, the other keeps the link busy.
const LANES: usize = 2;

/// How long a transfer that brings only ranges outlives its last client: lazy pullers
/// read, pause, and read on.
const LINGER: Duration = Duration::from_secs(30);

/// A transfer that is to be run.
pub(crate) struct Job {
    pub(crate) inner: Arc<Inner>,
    pub(crate) want: Want,
    pub(crate) supply: Arc<Supply>,
    pub(crate) keep: Keeping,
    /// What the caller who starts it wants, if that is one range or starts with one.
    pub(crate) range: Option<ByteRange>,
    pub(crate) transfer: Arc<Transfer>,
    /// There if no client waits for it when it starts.
    pub(crate) spare: Option<Spare>,
}

impl Job {
    /// A job, and what its followers will ask for.
    pub(crate) fn new(
        inner: &Arc<Inner>,
        want: Want,
        source: Source,
        ranges: &[ByteRange],
    ) -> (Self, mpsc::Receiver<Range<u64>>) {
        let (transfer, asks) = Transfer::new(source.question());
        let suspects = inner.suspects.get(&want.digest).unwrap_or_default();
        let keep = source.keep;
        let supply = inner.supply(source, Some(&want.digest), &suspects);
        let job = Self {
            inner: inner.clone(),
            want,
            supply: Arc::new(supply),
            keep,
            range: ranges.first().copied(),
            transfer,
            spare: None,
        };
        (job, asks)
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
        let turn = tokio::select! {
            biased;
            turn = place.turn() => turn,
            // Nothing came yet, so nothing is lost; and others wait behind it.
            () = self.deserted() => return ending.with(Stage::Failed(FillError::Abandoned)),
        };
        let stage = self.carry_out(turn, asks).await;
        ending.with(stage.unwrap_or_else(Stage::Failed));
    }

    /// Until nobody follows, and nobody will.
    async fn deserted(&self) {
        loop {
            self.transfer.left().await;
            if self.inner.give_up(&self.want.digest, &self.transfer) {
                return;
            }
        }
    }

    /// Until it is to stop for a client, and none has joined it.
    pub(crate) async fn yields(&self) {
        let Some(spare) = &self.spare else {
            return pending().await;
        };
        spare.told().await;
        if !self.inner.yield_turn(&self.want.digest) {
            // It is that client's now.
            pending::<()>().await;
        }
    }

    /// From now on the object is fetched whole.
    pub(crate) fn fill_gaps(&self, crew: &mut Crew, mut first: Option<Load>, pass: Pass) {
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
    fn begin_whole(&self, crew: &mut Crew) {
        self.fill_gaps(crew, None, self.queue());
    }

    /// Sends somebody for bytes far ahead, if they are still wanted and there is a turn: at
    /// once, where others bring the same bytes later; else whenever it comes.
    fn send_ahead(&self, crew: &mut Crew, asked: &Range<u64>) {
        if crew.ahead >= crew.most_ahead() {
            return;
        }
        let Some(span) = self.transfer.plan().wanted(asked.start, asked.end) else {
            return;
        };
        let pass = if crew.whole {
            let Some(turn) = self.inner.turns.try_turn(self.origin()) else {
                return;
            };
            Pass::Has(Arc::new(turn))
        } else {
            self.queue()
        };
        self.inner.counters.sides.one();
        let (supply, counters) = (self.supply.clone(), self.inner.counters.clone());
        let mut stream = OriginStream::from(supply, counters, span.start);
        if crew.whole {
            stream = stream.impatient();
        }
        let claim = self.transfer.claim(span);
        crew.send_ahead(Load { claim, stream }, pass);
    }

    fn queue(&self) -> Pass {
        Pass::Waits(self.inner.turns.follow_up(self.origin()))
    }

    /// Stays with the transfer until it is written, fails, or is left by everybody.
    pub(crate) async fn attend(
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
                () = self.transfer.whole_wanted(), if !crew.whole => self.begin_whole(&mut crew),
                () = self.yields() => break End::Failed(FillError::Yielded),
                () = self.abandoned(crew.whole) => break End::Failed(FillError::Abandoned),
            }
        };
        let (written, why) = crew.dismiss(end).await;
        self.stage(written, why)
    }

    /// Until nobody follows, and the transfer does not go on without.
    async fn abandoned(&self, whole: bool) {
        let transfer = &self.transfer;
        if let Some(spare) = &self.spare {
            // Before that there was nobody to leave.
            spare.promoted().await;
        }
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
    pub(crate) fn unkept(
        &self,
        error: &FillError,
        hasher: Hasher,
        hashed: u64,
        opened: Option<OriginStream>,
    ) -> Stage {
        tracing::warn!(digest = %self.want.digest, %error, "clients are served without storing");
        Stage::Unkept(Arc::new(Rest {
            supply: self.supply.clone(),
            turns: self.inner.turns.clone(),
            is_whole: hasher.digest() == self.want.digest,
            hasher,
            hashed,
            opened: Mutex::new(opened),
        }))
    }
}
