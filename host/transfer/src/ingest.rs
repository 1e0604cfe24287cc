//! Small objects, fetched whole: a manifest is verified before its first byte leaves.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ledge_core::digest::{Algorithm, Digest};
use ledge_store::{Keeping, Object, StoreError};

use crate::error::FillError;
use crate::source::Source;
use crate::stream::OriginStream;
use crate::supply::{NEARBY, Portion, Supply};
use crate::transfers::{Ingested, Transfers, Want};
use ledge_core::hash::Hasher;

impl Transfers {
    /// Fetches at most `max` bytes, verifies them against `want` (or learns their
    /// SHA-256), and stores them. Calls are not joined.
    ///
    /// # Errors
    /// As [`FillError`] says; nothing is stored then.
    pub async fn ingest(
        &self,
        want: Option<Want>,
        source: Source,
        max: u32,
    ) -> Result<Ingested, FillError> {
        if let Some(stored) = self.stored(want.as_ref()).await? {
            return Ok(stored);
        }
        let (again, keep) = (source.clone(), source.keep);
        let known = want.as_ref().map(|want| &want.digest);
        let supply = self.supply_of(known, source);
        let taken = self.take(want.as_ref(), supply.clone(), max, keep).await;
        let (Err(FillError::Mismatch(_)), Some(digest)) = (&taken, known) else {
            return taken;
        };
        self.0.suspect(digest, &supply);
        if !supply.has_used(NEARBY) {
            return taken;
        }
        // Nothing has left yet: an origin is asked in the same breath.
        let supply = self.supply_of(known, again);
        self.take(want.as_ref(), supply, max, keep).await
    }

    fn supply_of(&self, known: Option<&Digest>, source: Source) -> Arc<Supply> {
        let suspects = known.and_then(|digest| self.0.suspects.get(digest));
        let suspects = suspects.unwrap_or_default();
        Arc::new(self.0.supply(source, known, &suspects))
    }

    /// Takes no turn: it is small, and its client would wait behind long transfers.
    async fn take(
        &self,
        want: Option<&Want>,
        supply: Arc<Supply>,
        max: u32,
        keep: Keeping,
    ) -> Result<Ingested, FillError> {
        let opened = supply.open(Portion::Whole, |_| true).await?;
        let headers = opened.headers.clone();
        let origin = supply.origin(opened.endpoint);
        let end = opened.size.unwrap_or(u64::MAX);
        if opened.size.is_some_and(|size| size > u64::from(max)) {
            return Err(FillError::TooLarge(u64::from(max)));
        }
        let mut stream = OriginStream::of(supply.clone(), self.0.counters.clone(), opened);
        if want.is_none() {
            stream = stream.in_one_piece();
        }
        let bytes = collect(stream, end, max).await?;
        let size = bytes.len() as u64;
        let digest = verify(&bytes, want)?;
        if let Some(object) = self.keep(bytes, digest.clone(), keep).await? {
            match want {
                Some(_) => supply.stored(&object),
                None => self.0.tell_nearby(&digest, &object),
            }
        }
        Ok(Ingested {
            digest,
            size,
            headers,
            origin,
        })
    }

    async fn stored(&self, want: Option<&Want>) -> Result<Option<Ingested>, FillError> {
        let Some(want) = want else { return Ok(None) };
        let size = self.store().stat(&want.digest).await?;
        Ok(size.map(|size| Ingested {
            digest: want.digest.clone(),
            size,
            headers: http::HeaderMap::new(),
            origin: None,
        }))
    }

    /// Stores it. On a full disk it is held in memory alone, if it is small enough for that.
    async fn keep(
        &self,
        bytes: Bytes,
        digest: Digest,
        keep: Keeping,
    ) -> Result<Option<Object>, FillError> {
        let store = self.store().clone();
        let commit = move || {
            let committed = store.scratch().and_then(|partial| {
                let size = bytes.len() as u64;
                partial.reserve(size)?;
                partial.write_at(&bytes, 0)?;
                partial.commit(&digest, size, keep)
            });
            match committed {
                Err(StoreError::NoSpace { .. } | StoreError::NoRoom { .. })
                    if store.hold(&digest, &bytes) =>
                {
                    Ok(None)
                }
                committed => committed.map(Some),
            }
        };
        tokio::task::spawn_blocking(commit)
            .await
            .map_err(|error| FillError::Store(error.to_string()))?
            .map_err(FillError::from)
    }
}

async fn collect(mut stream: OriginStream, end: u64, max: u32) -> Result<Bytes, FillError> {
    let mut bytes = BytesMut::new();
    while let Some((_, more)) = stream.next(end).await? {
        bytes.extend_from_slice(&more);
        if bytes.len() as u64 > u64::from(max) {
            return Err(FillError::TooLarge(u64::from(max)));
        }
    }
    Ok(bytes.freeze())
}

fn verify(bytes: &[u8], want: Option<&Want>) -> Result<Digest, FillError> {
    let algorithm = want.map_or(Algorithm::Sha256, |want| want.digest.algorithm());
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    let found = hasher.digest();
    match want {
        Some(want) if want.digest != found => {
            Err(FillError::Mismatch(format!("theirs is {found}")))
        }
        Some(want) if want.size.is_some_and(|size| size != bytes.len() as u64) => Err(
            FillError::Mismatch(format!("{} came, another number was promised", bytes.len())),
        ),
        _ => Ok(found),
    }
}
