//! Small objects, fetched whole: a manifest is verified before its first byte leaves.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ledge_core::digest::{Algorithm, Digest};
use ledge_origin::OriginBody;

use crate::error::FillError;
use crate::source::{Source, content_length};
use crate::transfers::{Ingested, Transfers, Want};
use crate::writer::Hasher;

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
        let response = source.open(self.client()).await?;
        let (head, body) = response.into_parts();
        if content_length(&head.headers).is_some_and(|length| length > u64::from(max)) {
            return Err(FillError::TooLarge(u64::from(max)));
        }
        let bytes = collect(body, max, content_length(&head.headers)).await?;
        let size = bytes.len() as u64;
        let digest = verify(&bytes, want.as_ref())?;
        self.keep(bytes, digest.clone()).await?;
        Ok(Ingested {
            digest,
            size,
            headers: head.headers,
        })
    }

    async fn stored(&self, want: Option<&Want>) -> Result<Option<Ingested>, FillError> {
        let Some(want) = want else { return Ok(None) };
        let size = self.store().stat(&want.digest).await?;
        Ok(size.map(|size| Ingested {
            digest: want.digest.clone(),
            size,
            headers: http::HeaderMap::new(),
        }))
    }

    async fn keep(&self, bytes: Bytes, digest: Digest) -> Result<(), FillError> {
        let store = self.store().clone();
        let commit = move || {
            let mut partial = store.begin(digest.hex())?;
            partial.append(&bytes)?;
            partial.commit(&digest).map(drop)
        };
        tokio::task::spawn_blocking(commit)
            .await
            .map_err(|error| FillError::Store(error.to_string()))?
            .map_err(FillError::from)
    }
}

async fn collect(body: OriginBody, max: u32, announced: Option<u64>) -> Result<Bytes, FillError> {
    let limit = usize::try_from(max).unwrap_or(usize::MAX);
    let bytes = match Limited::new(body, limit).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(FillError::TooLarge(u64::from(max)));
        }
        Err(error) => return Err(FillError::Unreachable(error.to_string())),
    };
    match announced {
        Some(length) if length != bytes.len() as u64 => Err(FillError::Unreachable(format!(
            "the origin broke off after {} of {length} bytes",
            bytes.len()
        ))),
        _ => Ok(bytes),
    }
}

fn verify(bytes: &[u8], want: Option<&Want>) -> Result<Digest, FillError> {
    let algorithm = want.map_or(Algorithm::Sha256, |want| want.digest.algorithm());
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    let found = hasher.finish();
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
