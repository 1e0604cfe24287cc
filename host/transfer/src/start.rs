//! How a transfer starts: what was left is taken up, the origin asked, a file found.

use std::ops::Range;
use std::sync::Arc;

use ledge_core::range::ByteRange;
use ledge_store::{OpenFile, Partial};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{JoinSet, spawn_blocking};

use crate::courier::Load;
use crate::crew::{Crew, Pass};
use crate::error::FillError;
use crate::ground::{Left, Site};
use crate::opened::Opened;
use crate::plan::{Plan, piece_end};
use crate::reply::accepts_ranges;
use crate::run::Job;
use crate::stream::OriginStream;
use crate::supply::Portion;
use crate::transfer::{Head, Stage};
use crate::transfers::RETRY_AFTER;
use crate::turns::Turn;
use crate::writer::{QUEUE, Writer};
use ledge_core::hash::Hasher;

/// The first answer, and what follows from it.
struct Start {
    opened: Opened,
    /// The object's size, as the origin and the caller say.
    size: Option<u64>,
    /// Whether the object comes in pieces.
    pieces: bool,
    /// Whether all of it is fetched.
    whole: bool,
}

/// The file that the bytes go to.
struct Desk {
    partial: Partial,
    /// Taken by who may wait for readers, and so for long.
    seat: Option<OwnedSemaphorePermit>,
    hasher: Hasher,
    hashed: u64,
}

impl Job {
    pub(crate) async fn carry_out(
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
        let left = match Left::find(&self.inner, digest)
            .await
            .finish(digest, self.keep)
            .await
        {
            Ok(object) => {
                self.inner.counters.stored.one();
                return Ok(Stage::Stored(object));
            }
            Err(left) => left,
        };
        let (hasher, hashed) = (left.hasher, left.hashed);
        // Beside the request: the file is there before the answer is.
        let (start, site) = tokio::join!(
            self.open_unless_told(self.portion(hashed)),
            Site::choose(&self.inner, digest, left.partial)
        );
        let (start, seat) = match start.and_then(|start| Ok((self.seat(&start)?, start))) {
            Ok((seat, start)) => (start, seat),
            Err(error) => {
                if let Ok(site) = site {
                    site.leave().await;
                }
                return Err(error);
            }
        };
        let place = match site {
            Ok(site) => site.reserve(start.need(hashed)).await,
            Err(error) => Err(error),
        };
        match place {
            Ok(partial) => {
                let desk = Desk {
                    partial,
                    seat,
                    hasher,
                    hashed,
                };
                let crew = self.begin(turn, desk, start);
                self.attend(crew, asks).await
            }
            Err(error) => {
                self.publish(&start, None, 0);
                let hasher = Hasher::new(digest.algorithm());
                let stream = self.stream(start.opened);
                Ok(self.unkept(&error, hasher, 0, Some(stream)))
            }
        }
    }

    /// The first endpoint's answer, unless a client needs the turn before it is there.
    async fn open_unless_told(&self, portion: Portion) -> Result<Start, FillError> {
        tokio::select! {
            biased;
            () = self.yields() => Err(FillError::Yielded),
            start = self.open(portion) => start,
        }
    }

    /// The first endpoint's answer, and what follows from it.
    async fn open(&self, portion: Portion) -> Result<Start, FillError> {
        let takes_whole = |size| self.inner.options.ranges.fetch_whole(size);
        let opened = self.supply.open(portion, takes_whole).await?;
        let size = agreed_size(self.want.size, opened.size)?;
        let pieces = opened.ranged && self.range.is_some();
        Ok(Start {
            opened,
            size,
            pieces,
            whole: !pieces || size.is_none_or(takes_whole),
        })
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

    /// Who brings only ranges waits for readers between them, without a turn but with a
    /// thread: of those there are only so many.
    fn seat(&self, start: &Start) -> Result<Option<OwnedSemaphorePermit>, FillError> {
        if start.whole {
            return Ok(None);
        }
        let seat = self.inner.seats.clone().try_acquire_owned();
        seat.map(Some).map_err(|_| FillError::Busy(RETRY_AFTER))
    }

    /// Starts the writer and whoever brings bytes; followers may answer.
    fn begin(&self, turn: Turn, desk: Desk, start: Start) -> Crew {
        let transfer = &self.transfer;
        *transfer.plan() = Plan::new(desk.hashed, start.size);
        let asked_range = self.range.is_some() || desk.hashed > 0;
        if asked_range && !start.opened.ranged {
            // Before anybody reads, and asks for what is far ahead.
            transfer.forget_ranges();
        }
        self.publish(&start, Some(desk.partial.file()), desk.hashed);
        let (feed, queue) = mpsc::channel(QUEUE);
        let writer = Writer {
            digest: self.want.digest.clone(),
            size: start.size,
            partial: desk.partial,
            hasher: desk.hasher,
            hashed: desk.hashed,
            transfer: transfer.clone(),
            keep: self.keep,
        };
        let seat = desk.seat;
        let mut crew = Crew {
            couriers: JoinSet::new(),
            feed,
            writer: spawn_blocking(move || {
                let _seat = seat;
                writer.run(queue)
            }),
            whole: start.whole,
            pieces: start.pieces,
            ahead: 0,
            ranged: start.opened.ranged || accepts_ranges(&start.opened.headers),
        };
        let load = Load {
            claim: transfer.claim(start.opened.span.clone()),
            stream: self.stream(start.opened),
        };
        let pass = Pass::Has(Arc::new(turn));
        if crew.whole {
            self.fill_gaps(&mut crew, Some(load), pass);
        } else {
            crew.send_ahead(load, pass);
        }
        crew
    }

    /// The origin's header is in: followers may answer.
    fn publish(&self, start: &Start, file: Option<&Arc<OpenFile>>, prefix: u64) {
        let head = Head {
            size: start.size,
            headers: Arc::new(start.opened.headers.clone()),
            origin: self.supply.origin(start.opened.endpoint),
            file: file.cloned(),
        };
        self.transfer.begin(head, prefix);
    }

    fn stream(&self, opened: Opened) -> OriginStream {
        OriginStream::of(self.supply.clone(), self.inner.counters.clone(), opened)
    }
}

impl Start {
    /// How much will be written behind the first `hashed` bytes, as far as it is known: of
    /// what is not fetched whole, nothing is.
    fn need(&self, hashed: u64) -> u64 {
        match self.size {
            Some(size) if self.whole => size.saturating_sub(hashed),
            _ => 0,
        }
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
