//! Sending an object: whole if it is small, else in parts.

use std::ops::Range;

use bytes::Bytes;
use ledge_store::Object;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};

use crate::bucket::Bucket;
use crate::error::BucketError;

/// What goes in one request: one part, held in memory while it is sent. S3 takes parts from 5 MiB
/// on, and this makes the round trips of a layer of some hundred MiB few.
const PART: u64 = 16 * 1024 * 1024;

/// As many parts as S3 takes at most.
const MOST_PARTS: u64 = 10_000;

/// Puts the object at `path`. What fails leaves nothing behind.
pub(crate) async fn put(bucket: &Bucket, path: &Path, object: &Object) -> Result<(), BucketError> {
    let size = object.size();
    if size <= PART {
        let bytes = read(bucket, object, 0..size).await?;
        let put = bucket.store().put(path, bytes.into()).await;
        return put.map(drop).map_err(|error| bucket.failed(error));
    }
    let started = bucket.store().put_multipart(path).await;
    let mut upload = started.map_err(|error| bucket.failed(error))?;
    let sent = parts(bucket, &mut *upload, object).await;
    if sent.is_err()
        && let Err(error) = upload.abort().await
    {
        tracing::warn!(%path, %error, "an upload that broke off could not be taken back");
    }
    sent
}

async fn parts(
    bucket: &Bucket,
    upload: &mut dyn MultipartUpload,
    object: &Object,
) -> Result<(), BucketError> {
    let size = object.size();
    let part = part_size(size);
    let mut at = 0;
    while at < size {
        let end = size.min(at + part);
        let bytes = read(bucket, object, at..end).await?;
        let sent = upload.put_part(PutPayload::from(bytes)).await;
        sent.map_err(|error| bucket.failed(error))?;
        at = end;
    }
    let done = upload.complete().await;
    done.map(drop).map_err(|error| bucket.failed(error))
}

/// So large that there are not too many parts.
fn part_size(size: u64) -> u64 {
    let wanted = size.div_ceil(MOST_PARTS).max(PART);
    wanted.div_ceil(PART) * PART
}

async fn read(bucket: &Bucket, object: &Object, span: Range<u64>) -> Result<Bytes, BucketError> {
    let read = object.read(span).await;
    read.map_err(|error| bucket.unreadable(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_enough() {
        const GIB: u64 = 1 << 30;
        for (size, part) in [
            (PART + 1, PART),
            (GIB, PART),
            (PART * MOST_PARTS, PART),
            (PART * MOST_PARTS + 1, 2 * PART),
            (1024 * GIB, 7 * PART),
        ] {
            assert_eq!(part_size(size), part, "{size}");
            assert!(size.div_ceil(part) <= MOST_PARTS, "{size}");
        }
    }
}
