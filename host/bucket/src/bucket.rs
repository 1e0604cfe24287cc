//! One bucket.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_store::Object;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};

use crate::error::{BucketError, OpenError};
use crate::open::{self, Options};
use crate::upload;

/// Where objects are kept. Clones share its connections.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// As its URL, for people.
    name: Arc<str>,
}

/// An object in a bucket.
pub struct Found {
    /// Its whole length in bytes, as the bucket says.
    pub size: u64,
    /// Which of them come.
    pub span: Range<u64>,
    /// They, unverified.
    pub bytes: BoxStream<'static, Result<Bytes, BucketError>>,
}

impl Bucket {
    /// Prepares the way to it. Nothing is asked yet.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let (store, prefix) = open::open(options)?;
        Ok(Self {
            store,
            prefix,
            name: options.url.as_str().into(),
        })
    }

    /// The object's bytes, or a range of them, if it is there. One request.
    ///
    /// # Errors
    /// [`BucketError`], also for a range that is not within the object; the stream's are alike.
    pub async fn get(
        &self,
        digest: &Digest,
        range: Option<ByteRange>,
    ) -> Result<Option<Found>, BucketError> {
        let options = GetOptions {
            range: range.map(|range| match range {
                ByteRange::From(at) => GetRange::Offset(at),
                ByteRange::Between(at, last) => GetRange::Bounded(at..last.saturating_add(1)),
                ByteRange::Last(length) => GetRange::Suffix(length),
            }),
            ..GetOptions::default()
        };
        let found = match self.store.get_opts(&self.path(digest), options).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let bucket = self.clone();
        Ok(Some(Found {
            size: found.meta.size,
            span: found.range.clone(),
            bytes: Box::pin(
                found
                    .into_stream()
                    .map_err(move |error| bucket.failed(error)),
            ),
        }))
    }

    /// Keeps the object. A large one goes up in parts, and one that fails leaves nothing behind.
    ///
    /// # Errors
    /// [`BucketError`]
    pub async fn put(&self, digest: &Digest, object: &Object) -> Result<(), BucketError> {
        upload::put(self, &self.path(digest), object).await
    }

    /// Forgets the object; it is no error if it is not there.
    ///
    /// # Errors
    /// [`BucketError`]
    pub async fn delete(&self, digest: &Digest) -> Result<(), BucketError> {
        match self.store.delete(&self.path(digest)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        &*self.store
    }

    pub(crate) fn failed(&self, source: Error) -> BucketError {
        BucketError::Failed {
            bucket: self.name.to_string(),
            source,
        }
    }

    pub(crate) fn unreadable(&self, source: std::io::Error) -> BucketError {
        BucketError::Unreadable {
            bucket: self.name.to_string(),
            source,
        }
    }

    /// As in the local store, so that one can be copied over the other:
    /// `PREFIX/blobs/sha256/ab/abcd…`.
    fn path(&self, digest: &Digest) -> Path {
        let (algorithm, hex) = (digest.algorithm().as_str(), digest.hex());
        let shard = hex.get(..2).unwrap_or(hex);
        let parts = ["blobs", algorithm, shard, hex];
        parts
            .into_iter()
            .fold(self.prefix.clone(), |path, part| path.join(part))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.name).finish()
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
