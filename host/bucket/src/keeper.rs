//! Write-behind: what was stored beside the clients goes to the bucket when there is time.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use ledge_core::digest::Digest;
use ledge_store::BlobStore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bucket::Bucket;

/// How many objects wait at most, each for some hundred bytes. What comes while so many wait stays where it is.
const WAITING: u32 = 4096;

/// How many are sent at a time: each holds a part of 16 MiB in memory, and one alone would wait for a
/// round trip after every part.
const SENDERS: usize = 2;

/// How often an object is tried, and how long is waited after each try in vain, times its number:
/// a bucket that is away for less than a minute and a half loses nothing.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(6);

/// Something that is dropped when an object was sent, or is given up.
pub type Guard = Box<dyn Any + Send>;

/// Sends objects to a bucket, in turn. Clones share the queue; dropping the last one ends it when what
/// waits is sent.
#[derive(Clone, Debug)]
pub struct Keeper {
    waiting: UnboundedSender<Waiting>,
    places: Arc<Semaphore>,
}

/// An object, and its place in the queue until it is sent or given up.
struct Waiting {
    digest: Digest,
    _guard: Guard,
    _place: OwnedSemaphorePermit,
}

impl Keeper {
    /// Starts the task that sends what is stored. Must be called inside of a Tokio runtime.
    #[must_use]
    pub fn start(bucket: Bucket, store: BlobStore) -> Self {
        let (waiting, receiver) = unbounded_channel();
        tokio::spawn(send_all(bucket, store, receiver));
        let places = Arc::new(Semaphore::new(WAITING as usize));
        Self { waiting, places }
    }

    /// Sends the object later, if it is stored then; false if too many wait.
    pub fn offer(&self, digest: &Digest, guard: Guard) -> bool {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return false;
        };
        let waiting = Waiting {
            digest: digest.clone(),
            _guard: guard,
            _place: place,
        };
        self.waiting.send(waiting).is_ok()
    }

    /// Returns when all that was offered before has been sent, or given up.
    pub async fn idle(&self) {
        // All places are free then. The semaphore is never closed.
        let _ = self.places.acquire_many(WAITING).await;
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waiting").field(&self.digest).finish()
    }
}

async fn send_all(bucket: Bucket, store: BlobStore, waiting: UnboundedReceiver<Waiting>) {
    let next = async |mut waiting: UnboundedReceiver<Waiting>| {
        let next = waiting.recv().await?;
        Some((next, waiting))
    };
    stream::unfold(waiting, next)
        .for_each_concurrent(SENDERS, async |next| {
            send(&bucket, &store, &next.digest).await;
        })
        .await;
}

async fn send(bucket: &Bucket, store: &BlobStore, digest: &Digest) {
    for number in 1..=TRIES {
        // Opened for each try: what waits for a bucket does not keep its room on the disk.
        let object = match store.find(digest).await {
            Ok(Some(object)) => object,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%digest, %error, "an object was not kept in the bucket");
                return;
            }
        };
        match bucket.put(digest, &object).await {
            Ok(()) => return,
            Err(error) if number == TRIES => {
                tracing::warn!(%digest, %error, "an object was not kept in the bucket");
            }
            Err(error) => {
                tracing::debug!(%digest, %error, "an object is sent to the bucket once more");
                drop(object);
                tokio::time::sleep(PAUSE * number).await;
            }
        }
    }
}
