//! `ingest`: what is small, whole in memory before anybody gets a byte of it.

use crate::answer::Found;
use crate::bindings::exports::ledge::edge::blobs::{Error, Ingested};
use crate::fault::{self, StoreError};
use crate::held;
use crate::leases::unique;
use crate::origin::{Origins, Shown};
use crate::serve::{described, media_type, stat};
use crate::settings::Settings;
use crate::upload::Upload;
use ledge_core::digest::{Algorithm, Digest};
use ledge_core::hash;
use std::rc::Rc;

/// What is wanted, if that is known.
pub(crate) struct Wanted {
    pub(crate) digest: Digest,
    pub(crate) size: Option<u64>,
}

/// Fetches an object of at most `max` bytes, and stores it. While the store is away it is held here.
///
/// # Errors
/// As `wit/blobs.wit` says.
pub(crate) async fn ingest(
    settings: &Rc<Settings>,
    want: Option<&Wanted>,
    origins: &Origins,
    max: u32,
) -> Result<Ingested, Error> {
    if let Some(want) = want
        && let Some(what) = stat(settings, &want.digest).await?
    {
        return Ok(Ingested {
            what,
            origin: None,
            origin_fields: Vec::new(),
        });
    }
    let (bytes, ingested) = origins
        .first(None, &[], async |shown| take(shown, want, max).await)
        .await?;
    let digest = Digest::parse(&ingested.what.digest).map_err(|_| Error::InvalidDigest)?;
    let media_type = ingested.what.media_type.clone();
    match store(settings, &digest, &bytes, media_type.as_deref()).await {
        Err(error) if error.is_outage() => {
            eprintln!("an object is not kept: {error}");
            held::hold(digest, media_type, bytes);
        }
        stored => stored?,
    }
    Ok(ingested)
}

async fn take(shown: Shown, want: Option<&Wanted>, max: u32) -> Result<(Vec<u8>, Ingested), Error> {
    let max = u64::from(max);
    if let Found::Whole(Some(size)) = shown.found
        && size > max
    {
        return Err(Error::TooLarge);
    }
    let (media_type, fields) = (media_type(&shown.reply), shown.reply.fields.clone());
    let bytes = shown.reply.body().whole(max).await;
    let bytes = bytes.map_err(|error| fault::origin(&error))?;
    let bytes = bytes.ok_or(Error::TooLarge)?;
    let digest = verified(&bytes, want).ok_or(Error::Mismatch)?;
    let what = described(&digest, Some(bytes.len() as u64), media_type);
    let ingested = Ingested {
        what,
        origin: Some(shown.index),
        origin_fields: fields,
    };
    Ok((bytes, ingested))
}

/// What the bytes are, unless that is not what was wanted.
fn verified(bytes: &[u8], want: Option<&Wanted>) -> Option<Digest> {
    let Some(want) = want else {
        return Some(hash::digest(Algorithm::Sha256, bytes));
    };
    let is_long = want.size.is_none_or(|size| size == bytes.len() as u64);
    let digest = hash::digest(want.digest.algorithm(), bytes);
    (is_long && digest == want.digest).then_some(digest)
}

async fn store(
    settings: &Rc<Settings>,
    digest: &Digest,
    bytes: &[u8],
    media_type: Option<&str>,
) -> Result<(), StoreError> {
    let size = bytes.len() as u64;
    let mut upload = Upload::begin(settings, digest, size, media_type, &unique()).await?;
    let stored = match upload.write(bytes).await {
        Ok(()) => upload.commit().await,
        Err(error) => Err(error),
    };
    if let Err(error) = stored {
        upload.abort().await;
        return Err(error);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_what_was_wanted_or_nothing() {
        let digest = hash::digest(Algorithm::Sha512, b"abc");
        let want = |size| Wanted {
            digest: digest.clone(),
            size,
        };
        assert_eq!(verified(b"abc", Some(&want(None))), Some(digest.clone()));
        assert_eq!(verified(b"abc", Some(&want(Some(3)))), Some(digest.clone()));
        assert_eq!(verified(b"abc", Some(&want(Some(4)))), None);
        assert_eq!(verified(b"abd", Some(&want(None))), None);
        let learned = hash::digest(Algorithm::Sha256, b"abc");
        assert_eq!(verified(b"abc", None), Some(learned));
    }
}
