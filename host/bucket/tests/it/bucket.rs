//! What a bucket does, and what it costs.

use std::time::Duration;

use futures::TryStreamExt as _;
use ledge_bucket::{Bucket, Keeper, OpenError, Options};
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_store::{BlobStore, Bounds, Keeping, Object, StoreOptions};
use ledge_tests::s3::{KEY, S3, SECRET};
use tempfile::TempDir;

/// What one request takes at most.
const PART: usize = 16 << 20;

fn digest(number: u8) -> Digest {
    Digest::from_sha256(&[number; 32])
}

/// Bytes that tell their place.
fn content(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| u8::try_from(at * 7 % 251).expect("a byte"))
        .collect()
}

async fn server() -> S3 {
    S3::start().await.expect("a server")
}

/// The bucket, as somebody with this password.
fn bucket(server: &S3, secret: &str) -> Bucket {
    let options = Options {
        url: "s3://cache/edge".to_owned(),
        endpoint: Some(server.endpoint()),
        account: Some(KEY.to_owned()),
        secret: Some(secret.to_owned().into()),
        ..Options::default()
    };
    Bucket::open(&options).expect("a bucket")
}

/// A store to send from.
struct Site {
    store: BlobStore,
    _folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = StoreOptions {
            path: folder.path().join("store"),
            memory: 0,
            leftovers: Duration::from_secs(3600),
            bounds: Bounds::NONE,
        };
        let store = BlobStore::open(&options).expect("a store");
        Self {
            store,
            _folder: folder,
        }
    }

    fn put(&self, digest: &Digest, bytes: &[u8]) -> Object {
        let partial = self.store.begin(digest).expect("a file");
        partial.write_at(bytes, 0).expect("written");
        let size = bytes.len() as u64;
        let kept = partial.commit(digest, size, Keeping::default());
        kept.expect("committed")
    }
}

async fn read(
    bucket: &Bucket,
    digest: &Digest,
    range: Option<ByteRange>,
) -> Option<(u64, Vec<u8>)> {
    let found = bucket.get(digest, range).await.expect("an answer")?;
    let length = found.span.end - found.span.start;
    let bytes: Vec<_> = found.bytes.try_collect().await.expect("a whole body");
    let bytes = bytes.concat();
    assert_eq!(bytes.len() as u64, length);
    Some((found.size, bytes))
}

#[tokio::test]
async fn an_object_comes_back_by_one_request() {
    let server = server().await;
    let bucket = bucket(&server, SECRET);
    let bytes = content(100_000);
    assert_eq!(read(&bucket, &digest(1), None).await, None);
    let object = Site::new().put(&digest(1), &bytes);
    bucket.put(&digest(1), &object).await.expect("kept");
    let hex = digest(1).hex().to_owned();
    let path = server.bucket().join(format!("edge/blobs/sha256/01/{hex}"));
    let kept = std::fs::read(path).expect("a file of that name");
    assert!(kept == bytes);
    assert_eq!(server.seen().len(), 2);
    server.forget();

    assert_eq!(
        read(&bucket, &digest(1), None).await,
        Some((100_000, bytes.clone()))
    );
    let seen = server.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    for (range, span) in [
        (ByteRange::From(99_000), 99_000..100_000),
        (ByteRange::Between(5, 9), 5..10),
        (ByteRange::Last(10), 99_990..100_000),
    ] {
        let part = read(&bucket, &digest(1), Some(range)).await;
        assert_eq!(part, Some((100_000, bytes[span].to_vec())));
    }
    bucket.delete(&digest(1)).await.expect("gone");
    bucket.delete(&digest(1)).await.expect("gone already");
    assert_eq!(read(&bucket, &digest(1), None).await, None);
}

#[tokio::test]
async fn a_large_one_goes_up_in_parts() {
    let server = server().await;
    let bucket = bucket(&server, SECRET);
    let bytes = content(2 * PART + 5);
    let object = Site::new().put(&digest(2), &bytes);
    bucket.put(&digest(2), &object).await.expect("kept");
    let parts = server.seen();
    let parts = parts.iter().filter(|line| line.contains("partNumber="));
    assert_eq!(parts.count(), 3);
    let (size, back) = read(&bucket, &digest(2), None).await.expect("there");
    assert!(size == bytes.len() as u64 && back == bytes);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing_behind() {
    let server = server().await;
    let bucket = bucket(&server, SECRET);
    server.fail(Some("partNumber=2"));
    let object = Site::new().put(&digest(3), &content(PART + 1));
    let sent = bucket.put(&digest(3), &object).await;
    let error = sent.expect_err("a part was refused").to_string();
    assert!(
        error.starts_with("the bucket s3://cache/edge failed: "),
        "{error}"
    );
    let seen = server.seen();
    assert!(
        seen.last()
            .is_some_and(|line| line.starts_with("DELETE ") && line.contains("uploadId=")),
        "{seen:?}"
    );
    assert!(server.files().expect("a folder").is_empty());
    assert_eq!(read(&bucket, &digest(3), None).await, None);
}

#[tokio::test]
async fn who_may_not_is_told_so_and_no_secret_is() {
    let server = server().await;
    let bucket = bucket(&server, "hunter3");
    let error = bucket
        .get(&digest(4), None)
        .await
        .expect_err("a wrong password");
    for shown in [
        error.to_string(),
        format!("{error:?}"),
        format!("{bucket:?}"),
    ] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
}

#[tokio::test]
async fn what_is_offered_is_sent_behind() {
    let (server, site) = (server().await, Site::new());
    let bucket = bucket(&server, SECRET);
    let keeper = Keeper::start(bucket.clone(), site.store.clone());
    let bytes = content(1000);
    for number in 10..20 {
        site.put(&digest(number), &bytes);
        assert!(keeper.offer(&digest(number), Box::new(())));
    }
    // It is not stored, and no obstacle.
    assert!(keeper.offer(&digest(9), Box::new(())));
    keeper.idle().await;
    for number in 10..20 {
        assert_eq!(
            read(&bucket, &digest(number), None).await,
            Some((1000, bytes.clone()))
        );
    }
    // Nobody takes anything out while this test does not wait.
    let offers = (0..5000).map(|_| keeper.offer(&digest(9), Box::new(())));
    assert_eq!(offers.filter(|taken| *taken).count(), 4096);
}

#[tokio::test]
async fn what_is_sent_or_given_up_lets_its_guard_go() {
    let (server, site) = (server().await, Site::new());
    let keeper = Keeper::start(bucket(&server, SECRET), site.store.clone());
    site.put(&digest(5), b"bytes");
    let (guard, gone) = tokio::sync::oneshot::channel::<()>();
    assert!(keeper.offer(&digest(5), Box::new(guard)));
    gone.await.expect_err("dropped");
    let seen = server.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[test]
fn what_is_no_bucket_is_refused() {
    let at = |url: &str| Options {
        url: url.to_owned(),
        ..Options::default()
    };
    let refused = |options: &Options| Bucket::open(options).expect_err("no bucket");
    assert!(matches!(refused(&at("cache")), OpenError::Url(_)));
    assert!(matches!(refused(&at("file:///tmp")), OpenError::Scheme));
    let with_password = refused(&at("s3://a:hunter2@cache"));
    assert!(matches!(with_password, OpenError::Credentials));
    let in_a_region = Options {
        region: Some("eu".to_owned()),
        ..at("gs://cache")
    };
    assert_eq!(refused(&in_a_region).to_string(), "gs:// has no region");
    let believing = Options {
        authorities: Some(b"none".to_vec()),
        ..at("s3://cache")
    };
    assert!(matches!(refused(&believing), OpenError::NoAuthorities));
    let azure = Options {
        account: Some("me".to_owned()),
        secret: Some("aGk=".to_owned().into()),
        ..at("az://cache/a")
    };
    for options in [at("gs://cache/a"), azure] {
        Bucket::open(&options).expect("a bucket");
    }
}
