//! The table of running transfers: who starts one, who joins, who runs it.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use ledge_core::digest::Digest;
use ledge_core::range::{ByteRange, Selection, select};
use ledge_origin::{Client, OriginBody};
use ledge_store::{BlobStore, Object, ObjectBody};
use tokio::sync::{Semaphore, mpsc};

use crate::error::FillError;
use crate::follow::FollowBody;
use crate::multipart::Multipart;
use crate::source::{Source, content_length};
use crate::transfer::{Head, Stage, Transfer};
use crate::writer::{Feed, QUEUE, Writer};

/// How many transfers may run, and how many may wait for a turn.
#[derive(Clone, Copy, Debug)]
pub struct TransferOptions {
    /// Transfers that run at a time. More wait their turn, first come first served.
    pub running: usize,
    /// Transfers that may wait for a turn; one more is answered [`FillError::Busy`].
    pub waiting: usize,
}

/// What a caller wants.
#[derive(Clone, Debug)]
pub struct Want {
    /// The object's digest.
    pub digest: Digest,
    /// Its size in bytes, if the caller was told one.
    pub size: Option<u64>,
}

/// How an answer came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was stored.
    Hit,
    /// This call started the transfer.
    Started,
    /// This call joined one.
    Followed,
}

/// An object, or ranges of it.
#[derive(Debug)]
pub struct Answer {
    /// The bytes.
    pub body: AnswerBody,
    /// The object's size in bytes, if it is known.
    pub size: Option<u64>,
    /// Which bytes of the object the body has. Several parts are in an [`AnswerBody::Several`].
    pub selection: Selection,
    /// How it came to be.
    pub outcome: Outcome,
    /// The origin's header fields; empty on a hit.
    pub headers: Arc<HeaderMap>,
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
}

/// The running transfers. Clones share them.
#[derive(Clone)]
pub struct Transfers(Arc<Inner>);

struct Inner {
    store: BlobStore,
    client: Client,
    running: Mutex<HashMap<Digest, Arc<Transfer>>>,
    turns: Semaphore,
    /// Running and waiting together: what is over the bound is refused at once.
    places: Arc<Semaphore>,
}

/// Seconds after which a caller that found every place taken asks again: long
/// enough for some transfers to end, short enough for a client to wait.
const RETRY_AFTER: u32 = 5;

impl Transfers {
    /// No transfer runs yet.
    #[must_use]
    pub fn new(store: BlobStore, client: Client, options: TransferOptions) -> Self {
        Self(Arc::new(Inner {
            store,
            client,
            running: Mutex::default(),
            turns: Semaphore::new(options.running),
            places: Arc::new(Semaphore::new(options.running + options.waiting)),
        }))
    }

    /// Where objects are kept.
    #[must_use]
    pub fn store(&self) -> &BlobStore {
        &self.0.store
    }

    /// How many callers follow the running transfer of `digest`; `None` if none runs.
    #[must_use]
    pub fn followers(&self, digest: &Digest) -> Option<usize> {
        let running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.get(digest).map(|transfer| transfer.followers())
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
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
        if let Some(object) = self.0.store.find(&want.digest).await? {
            return Answer::stored(&object, ranges);
        }
        let (transfer, outcome) = self.join_or_start(want, source)?;
        follow(&transfer, ranges, outcome).await
    }

    fn join_or_start(
        &self,
        want: Want,
        source: Source,
    ) -> Result<(Arc<Transfer>, Outcome), FillError> {
        let mut running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(transfer) = running.get(&want.digest) {
            return Ok((transfer.clone(), Outcome::Followed));
        }
        let Ok(place) = self.0.places.clone().try_acquire_owned() else {
            return Err(FillError::Busy(RETRY_AFTER));
        };
        let transfer = Arc::new(Transfer::new());
        running.insert(want.digest.clone(), transfer.clone());
        drop(running);
        // The transfer is the host's from here on, whatever becomes of the caller.
        let (inner, of_task) = (self.0.clone(), transfer.clone());
        tokio::spawn(async move {
            inner.run(want, source, of_task).await;
            drop(place);
        });
        Ok((transfer, Outcome::Started))
    }
}

impl Inner {
    /// Runs a transfer to its end, and only then takes it off the table: until
    /// then callers join it, and afterwards they find the object in the store.
    async fn run(&self, want: Want, source: Source, transfer: Arc<Transfer>) {
        let digest = want.digest.clone();
        let end = match self.transfer(want, source, &transfer).await {
            Ok(object) => {
                tracing::debug!(%digest, size = object.size(), "transfer stored");
                Stage::Stored(object)
            }
            Err(error) => {
                tracing::warn!(%digest, %error, "transfer failed, nothing stored");
                Stage::Failed(error)
            }
        };
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&digest);
        transfer.enter(end);
    }

    async fn transfer(
        &self,
        want: Want,
        source: Source,
        transfer: &Arc<Transfer>,
    ) -> Result<Object, FillError> {
        // Another transfer may have ended between the caller's look and this start.
        if let Some(object) = self.store.find(&want.digest).await? {
            return Ok(object);
        }
        let _turn = self
            .turns
            .acquire()
            .await
            .map_err(|_| FillError::Busy(RETRY_AFTER))?;
        let response = source.open(&self.client).await?;
        let (head, body) = response.into_parts();
        let size = agreed_size(want.size, content_length(&head.headers))?;
        let store = self.store.clone();
        let (digest, of_writer) = (want.digest, transfer.clone());
        let (feed, queue) = mpsc::channel(QUEUE);
        let headers = Arc::new(head.headers);
        let writer = tokio::task::spawn_blocking(move || {
            let partial = store.begin(digest.hex())?;
            let file = partial.file().clone();
            of_writer.begin(Head {
                size,
                headers,
                file,
            });
            let transfer = of_writer;
            Writer {
                digest,
                size,
                partial,
                transfer,
            }
            .run(queue)
        });
        let fed = pump(body, &feed).await;
        drop(feed);
        let stored = writer
            .await
            .map_err(|error| FillError::Store(error.to_string()))?;
        // Why the feed ended early is the better reason, unless the writer ended first.
        match (fed, stored) {
            (Err(Some(error)), Err(_)) => Err(error),
            (_, stored) => stored,
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

/// Moves the origin's frames to the writer. `Err(None)` says that the writer is gone.
async fn pump(mut body: OriginBody, feed: &mpsc::Sender<Feed>) -> Result<(), Option<FillError>> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Some(FillError::Unreachable(error.to_string())))?;
        if let Ok(data) = frame.into_data() {
            feed.send(Feed::Data(data)).await.map_err(|_| None)?;
        }
    }
    feed.send(Feed::End).await.map_err(|_| None)
}

/// Waits for the origin's header, and answers from the transfer.
async fn follow(
    transfer: &Transfer,
    ranges: &[ByteRange],
    outcome: Outcome,
) -> Result<Answer, FillError> {
    let mut progress = transfer.watch();
    let stage = progress
        .wait_for(|progress| !matches!(progress.stage, Stage::Asking))
        .await
        .map_err(|_| FillError::Unreachable("the transfer was dropped".to_owned()))?
        .stage
        .clone();
    let head = match (stage, transfer.head()) {
        (Stage::Failed(error), _) => return Err(error),
        (Stage::Stored(object), None) => return Answer::stored(&object, ranges),
        (_, Some(head)) => head,
        (_, None) => {
            return Err(FillError::Unreachable(
                "the transfer has no header".to_owned(),
            ));
        }
    };
    let size = head.size;
    let open = move |span| {
        let (file, progress) = (head.file.clone(), progress.clone());
        AnswerBody::Follow(FollowBody::new(file, progress, size, span))
    };
    let (selection, body) = match size {
        Some(size) => selected(ranges, size, open)?,
        None => (Selection::Whole, open(None)),
    };
    Ok(Answer {
        body,
        size,
        selection,
        outcome,
        headers: head.headers,
    })
}

/// What the ranges select of an object of `size` bytes. `open` gives a part of it, or the whole.
fn selected(
    ranges: &[ByteRange],
    size: u64,
    open: impl Fn(Option<Range<u64>>) -> AnswerBody + Send + 'static,
) -> Result<(Selection, AnswerBody), FillError> {
    let selection = select(ranges, size).ok_or(FillError::Unsatisfiable(size))?;
    let body = match &selection {
        Selection::Whole => open(None),
        Selection::One(span) => open(Some(span.start..span.end)),
        Selection::Several(spans) => {
            let parts = Multipart::new(spans.clone(), size, move |span| open(Some(span)));
            AnswerBody::Several(Box::new(parts))
        }
    };
    Ok((selection, body))
}

impl Answer {
    /// An answer from a stored object.
    ///
    /// # Errors
    /// [`FillError::Unsatisfiable`].
    pub fn stored(object: &Object, ranges: &[ByteRange]) -> Result<Self, FillError> {
        let (object, size) = (object.clone(), object.size());
        let (selection, body) = selected(ranges, size, move |span| {
            AnswerBody::Stored(object.body(span.unwrap_or(0..size)))
        })?;
        Ok(Self {
            body,
            size: Some(size),
            selection,
            outcome: Outcome::Hit,
            headers: Arc::default(),
        })
    }
}

/// An answer's bytes.
#[derive(Debug)]
pub enum AnswerBody {
    /// Of an object in the store.
    Stored(ObjectBody),
    /// Of a running transfer.
    Follow(FollowBody),
    /// Several parts of either.
    Several(Box<Multipart<AnswerBody>>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Stored(body) => Pin::new(body).poll_frame(cx),
            Self::Follow(body) => Pin::new(body).poll_frame(cx),
            Self::Several(body) => Pin::new(body.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Stored(body) => body.is_end_stream(),
            Self::Follow(body) => body.is_end_stream(),
            Self::Several(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Stored(body) => body.size_hint(),
            Self::Follow(body) => body.size_hint(),
            Self::Several(body) => body.size_hint(),
        }
    }
}
