//! Random lives of one object: clients come and go, origins break, the mirror is killed.
//!
//! The model is the object itself: whatever happened, whoever got a whole body got the object, and
//! the store has it or nothing. `LEDGE_SEED` repeats the one life that a failure names.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use ledge_core::range::{ByteRange, Selection, Span};
use ledge_transfer::{
    Abandoned, Answer, Counts, Outcome, Ranges, Retries, Source, TransferOptions, Transfers,
};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};

use crate::bench::{Bench, OPTIONS, body, gate, object, want};
use crate::chance::Chance;
use crate::good::{Act, holds, refuse, well};
use crate::origin::{Asked, Script};

const LIVES: usize = 64;

/// Far more than a life takes: who waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a connection may have brought of what another one brings, when it is cut: hyper's largest
/// read buffer.
const IN_FLIGHT: u64 = 8192 + 4096 * 100;

/// What is drawn once for a life.
struct Life {
    seed: u64,
    bytes: Vec<u8>,
    /// Whether origins only break, and do no worse.
    is_benign: bool,
    is_lazy: bool,
    abandoned: Abandoned,
    is_killed: bool,
}

impl Life {
    fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        // One in four is large enough for bytes that are far ahead.
        let size = if chance.is_in(25) { 2_500_000 } else { 400_000 };
        Self {
            seed,
            bytes: object(1 + chance.below(size)),
            is_benign: chance.is_in(60),
            is_lazy: chance.is_in(25),
            abandoned: match chance.below(3) {
                0 => Abandoned::Stop,
                1 => Abandoned::KeepOver(50),
                _ => Abandoned::Keep,
            },
            is_killed: chance.is_in(25),
        }
    }

    fn options(&self) -> TransferOptions {
        TransferOptions {
            abandoned: self.abandoned,
            ranges: match self.is_lazy {
                true => Ranges::WholeUpTo(0),
                false => Ranges::Whole,
            },
            retries: Retries {
                tries: if self.is_benign { 100 } else { 4 },
                ..OPTIONS.retries
            },
            ..OPTIONS
        }
    }

    /// An origin that misbehaves until it is mended.
    fn origin(&self, number: u64, hold: &Arc<Semaphore>, mended: &Arc<AtomicBool>) -> Script {
        let (seed, size, is_benign) =
            (self.seed ^ (number << 32), self.bytes.len(), self.is_benign);
        let (hold, mended) = (hold.clone(), mended.clone());
        holds(&self.bytes, move |asked| {
            if mended.load(Ordering::Relaxed) {
                return well();
            }
            let mut chance = Chance::of(seed.wrapping_add(asked.number as u64));
            let span = wanted(asked, size);
            // The last one always lets in, so that there is somebody to go on with.
            match chance.below(if is_benign { 6 } else { 12 }) {
                0..=1 => well(),
                2 => breaks(&mut chance, span, Act::close_at),
                3 if number == 0 => breaks(&mut chance, span, Act::reset_at),
                4 if number == 0 => refuse("503 Service Unavailable"),
                3..=5 => well().stall_at(within(&mut chance, &span), &hold),
                6..=7 => well().tampered_at(within(&mut chance, &span)),
                _ => worse(&mut chance, size),
            }
        })
    }
}

fn wanted(asked: &Asked, size: usize) -> Range<usize> {
    let span = asked.range().and_then(|range| range.resolve(size as u64));
    span.map_or(0..size, indices)
}

fn indices(Span { start, end }: Span) -> Range<usize> {
    let index = |offset| usize::try_from(offset).expect("within the object");
    index(start)..index(end)
}

fn within(chance: &mut Chance, span: &Range<usize>) -> usize {
    span.start + chance.below(span.len())
}

fn breaks(chance: &mut Chance, span: Range<usize>, how: fn(Act, usize) -> Act) -> Act {
    let act = how(well(), within(chance, &span));
    if chance.is_in(30) { act.chunked() } else { act }
}

fn worse(chance: &mut Chance, size: usize) -> Act {
    match chance.below(6) {
        0 => refuse("404 Not Found"),
        1 => refuse(&format!(
            "416 Range Not Satisfiable\r\ncontent-range: bytes */{}",
            size / 2
        )),
        2 => well().claiming("bytes 0-0/2"),
        3 => well().announcing(1 + chance.below(2 * size)),
        4 => well().without_ranges().tagged("\"two\""),
        _ => well().until_close().close_at(chance.below(size)),
    }
}

/// What one client does.
struct Client {
    range: Option<ByteRange>,
    /// It leaves when so many bytes came.
    patience: Option<usize>,
}

impl Client {
    fn any(chance: &mut Chance, size: usize) -> Self {
        let at = chance.below(size) as u64;
        Self {
            range: match chance.below(6) {
                0 => Some(ByteRange::From(at)),
                1 => Some(ByteRange::Last(at + 1)),
                2 => Some(ByteRange::Between(at, at + chance.below(size) as u64)),
                3 => Some(ByteRange::Between(at, at + 9)),
                _ => None,
            },
            patience: chance.is_in(30).then(|| chance.below(size)),
        }
    }

    /// Whether it is content; in words what is wrong.
    async fn run(
        self,
        transfers: Transfers,
        source: Source,
        life: Arc<Life>,
    ) -> Result<(), String> {
        let ranges: Vec<_> = self.range.into_iter().collect();
        let answer = transfers.fill(want(&life.bytes), source, &ranges).await;
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => return life.may_fail(&format!("no answer: {error}")),
        };
        if let Some(patience) = self.patience {
            leave(&mut answer, patience).await;
            return Ok(());
        }
        let (outcome, selection) = (answer.outcome, answer.selection.clone());
        match body(answer).await {
            Ok(got) => life.check(&selection, outcome, &got),
            Err(error) => life.may_fail(&format!("a cut body: {error}")),
        }
    }
}

/// Reads so many bytes, as far as they come.
async fn leave(answer: &mut Answer, patience: usize) {
    let mut got = 0;
    while got < patience
        && let Some(Ok(frame)) = answer.body.frame().await
    {
        got += frame.into_data().map_or(0, |data| data.len());
    }
}

impl Life {
    fn may_fail(&self, what: &str) -> Result<(), String> {
        if self.is_benign {
            return Err(format!("{what}, though origins only broke"));
        }
        Ok(())
    }

    fn check(&self, selection: &Selection, outcome: Outcome, got: &[u8]) -> Result<(), String> {
        let size = self.bytes.len();
        let span = match selection {
            Selection::Whole => 0..size,
            Selection::One(span) => indices(*span),
            Selection::Several(_) => return Err("nobody asked for several".to_owned()),
        };
        // A range of an unfinished object is the one thing that no digest stands behind.
        let is_verified = span == (0..size) || outcome == Outcome::Hit || self.is_benign;
        let expected = &self.bytes[span];
        if got == expected || (!is_verified && got.len() == expected.len()) {
            return Ok(());
        }
        let length = got.len();
        Err(format!(
            "{length} bytes of {selection:?} ({outcome:?}), some wrong"
        ))
    }

    /// Nothing comes twice: only what was on its way where a connection was cut for another one.
    fn check_received(&self, counts: Counts) {
        let is_simple = self.is_benign && !self.is_killed && self.abandoned == Abandoned::Keep;
        if is_simple {
            let most = self.bytes.len() as u64 + counts.sides * IN_FLIGHT;
            assert!(counts.received <= most, "too much came: {counts:?}");
        }
    }
}

async fn live(life: Arc<Life>) {
    let mut chance = Chance::of(life.seed ^ 0x5eed);
    let (hold, mended) = (gate(), Arc::new(AtomicBool::new(false)));
    let origins = (0..2).map(|number| life.origin(number, &hold, &mended));
    let mut bench = Bench::of(origins.collect(), life.options()).await;
    let mut clients = JoinSet::new();
    for _ in 0..2 + chance.below(8) {
        come(&mut clients, &bench, &life, &mut chance);
        for _ in 0..chance.below(50) {
            yield_now().await;
        }
        hold.add_permits(chance.below(2));
    }
    if life.is_killed {
        clients.shutdown().await;
        bench = bench.killed();
        come(&mut clients, &bench, &life, &mut chance);
    }
    hold.add_permits(100_000);
    while let Some(done) = clients.join_next().await {
        done.expect("no panic").expect("what the model says");
    }
    mended.store(true, Ordering::Relaxed);
    end(&bench, &life).await;
}

fn come(
    clients: &mut JoinSet<Result<(), String>>,
    bench: &Bench,
    life: &Arc<Life>,
    chance: &mut Chance,
) {
    let client = Client::any(chance, life.bytes.len());
    let source = bench.source(&life.bytes);
    clients.spawn(client.run(bench.transfers.clone(), source, life.clone()));
}

/// The origins are mended: the object is there after a few tries, and no transfer is left.
async fn end(bench: &Bench, life: &Life) {
    let mut tries = 0;
    loop {
        match bench.whole(&life.bytes).await {
            Ok(got) => break assert!(got == life.bytes, "a whole body that is wrong"),
            Err(error) => {
                // One was bad already, one took up what that left, and one asked a suspect.
                tries += 1;
                assert!(tries <= 3 && !life.is_benign, "it never comes: {error}");
                bench.settled(&life.bytes).await;
            }
        }
    }
    bench.settled(&life.bytes).await;
    assert!(bench.stored(&life.bytes).await, "it is not stored");
    assert_eq!(bench.partials(), 0);
    let counts = bench.transfers.counts();
    assert_eq!(counts.started, counts.stored + counts.failed, "{counts:?}");
    life.check_received(counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_nothing_wrong_is_stored_or_taken_for_whole() {
    let given = std::env::var("LEDGE_SEED").ok();
    let given = given.map(|seed| seed.parse().expect("LEDGE_SEED is a number"));
    let count = given.map_or(LIVES, |_| 1);
    let mut chance = Chance::of(Chance::seed());
    let seeds = (0..count).map(|_| given.unwrap_or_else(|| chance.number()));
    let lives = seeds.map(|seed| async move {
        let life = tokio::spawn(live(Arc::new(Life::of(seed))));
        let lived = tokio::time::timeout(PATIENCE, life).await;
        let is_well = lived.is_ok_and(|lived| lived.is_ok());
        assert!(
            is_well,
            "LEDGE_SEED={seed} repeats this; it panicked, or waits for ever"
        );
    });
    stream::iter(lives)
        .buffer_unordered(4)
        .collect::<()>()
        .await;
}
