//! One object: which node fetches it for all, and who has it already.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use ledge_bucket::{BucketError, Found};
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_store::Object;
use ledge_transfer::{FillError, NearbyBytes, NearbyObject};
use tokio::sync::Mutex;

use crate::fleet::Inner;
use crate::holding::Holding;
use crate::pass::{Pass, Secret};

/// How many holders are asked, one after the other took over from one that is gone.
const HOLDERS: usize = 4;

/// How long a node that has fetched an object answers for it where there is no bucket: others
/// who pull the same image begin within a minute.
const LINGER: Duration = Duration::from_secs(60);

/// One object, for one transfer of it.
pub(crate) struct Shared(Arc<Part>);

/// This node's part in it.
struct Part {
    fleet: Arc<Inner>,
    digest: Digest,
    standing: Mutex<Standing>,
    /// Bytes came from another node.
    from_peer: AtomicBool,
    /// Bytes came from the bucket.
    from_bucket: AtomicBool,
    /// An origin was asked, or nobody yet.
    is_missing: AtomicBool,
}

#[derive(Default)]
struct Standing {
    /// There while others wait for this node.
    holding: Option<Holding>,
    /// The value of a lease whose holder was of no use.
    lost: Option<String>,
    is_not_in_bucket: bool,
}

impl Shared {
    pub(crate) fn new(fleet: Arc<Inner>, digest: &Digest) -> Self {
        Self(Arc::new(Part {
            fleet,
            digest: digest.clone(),
            standing: Mutex::default(),
            from_peer: AtomicBool::new(false),
            from_bucket: AtomicBool::new(false),
            is_missing: AtomicBool::new(false),
        }))
    }
}

#[async_trait]
impl NearbyObject for Shared {
    async fn open(&self, range: Option<ByteRange>) -> Option<NearbyBytes> {
        let found = self.0.open(range).await;
        if found.is_none() {
            self.0.is_missing.store(true, Ordering::Relaxed);
        }
        found
    }

    fn stored(&self, _: &Object) {
        tokio::spawn(stored(self.0.clone()));
    }

    fn wrong(&self) {
        if self.0.from_bucket.load(Ordering::Relaxed) {
            tokio::spawn(wrong(self.0.clone()));
        }
    }
}

impl Part {
    async fn open(&self, range: Option<ByteRange>) -> Option<NearbyBytes> {
        for _ in 0..HOLDERS {
            let Some(pass) = self.holder().await else {
                return self.kept(range).await;
            };
            let found = self.fleet.peers.get(&pass, &self.digest, range).await;
            if found.is_some() {
                self.from_peer.store(true, Ordering::Relaxed);
                return found;
            }
            self.standing.lock().await.lost = Some(pass.value());
        }
        None
    }

    /// Another node that fetches it for all; none if this one does, or if nobody can be asked who does.
    async fn holder(&self) -> Option<Pass> {
        let sharing = self.fleet.sharing.as_ref()?;
        let mut standing = self.standing.lock().await;
        if standing.holding.is_some() || sharing.away.is_away() {
            return None;
        }
        let mine = Pass {
            holder: sharing.here.clone(),
            secret: Secret::new()?,
        };
        let (name, value) = (self.digest.to_string(), mine.value());
        let mut instead_of = standing.lost.take();
        for _ in 0..HOLDERS {
            let taken = sharing.leases.take(&name, &value, instead_of.as_deref());
            let found = match taken.await {
                Ok(found) => found,
                Err(error) => {
                    let without = "going on without the leases of other nodes";
                    sharing.away.failed(&error, without);
                    return None;
                }
            };
            sharing.away.answered("the leases of other nodes");
            let Some(found) = found else {
                let held = sharing.holdings.hold(&sharing.leases, &self.digest, &mine);
                standing.holding = Some(held);
                return None;
            };
            match Pass::parse(&found) {
                Some(pass) if pass.holder != sharing.here => return Some(pass),
                // An earlier transfer's of this node, or nobody's.
                _ => instead_of = Some(found),
            }
        }
        None
    }

    async fn kept(&self, range: Option<ByteRange>) -> Option<NearbyBytes> {
        let keeping = self.fleet.keeping.as_ref()?;
        if keeping.away.is_away() || self.standing.lock().await.is_not_in_bucket {
            return None;
        }
        match keeping.bucket.get(&self.digest, range).await {
            Ok(found) => {
                keeping.away.answered("the shared objects");
                if found.is_none() {
                    self.standing.lock().await.is_not_in_bucket = true;
                }
                let bytes = found.map(nearby)?;
                self.from_bucket.store(true, Ordering::Relaxed);
                Some(bytes)
            }
            Err(error) => {
                keeping
                    .away
                    .failed(&error, "going on without the shared objects");
                None
            }
        }
    }

    /// Whether others can have it from nowhere but this node and an origin.
    fn is_new(&self) -> bool {
        let came =
            self.from_peer.load(Ordering::Relaxed) || self.from_bucket.load(Ordering::Relaxed);
        !came || self.is_missing.load(Ordering::Relaxed)
    }
}

/// The lease ends when the others have another place to find it.
async fn stored(part: Arc<Part>) {
    let holding = part.standing.lock().await.holding.take();
    if !part.is_new() {
        return;
    }
    match &part.fleet.keeping {
        Some(keeping) => {
            let is_taken = keeping.keeper.offer(&part.digest, Box::new(holding));
            if !is_taken {
                tracing::warn!(digest = %part.digest, "too many objects wait for the bucket");
            }
        }
        None if holding.is_some() => tokio::time::sleep(LINGER).await,
        None => {}
    }
}

/// The bucket has something else under this name: the next node would be told wrong as well.
async fn wrong(part: Arc<Part>) {
    let Some(keeping) = &part.fleet.keeping else {
        return;
    };
    let digest = &part.digest;
    match keeping.bucket.delete(digest).await {
        Ok(()) => tracing::warn!(%digest, "the bucket had other bytes, and has forgotten them"),
        Err(error) => tracing::error!(%digest, %error, "the bucket has other bytes"),
    }
}

fn nearby(found: Found) -> NearbyBytes {
    let broken = |error: BucketError| FillError::Unreachable(error.to_string());
    let frames = found.bytes.map_ok(Frame::data).map_err(broken);
    NearbyBytes {
        span: found.span,
        size: Some(found.size),
        body: StreamBody::new(frames).boxed_unsync(),
    }
}
