//! The blob store, used as the transfer and the runtime use it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use ledge_core::digest::Digest;
use ledge_store::{BlobStore, Bounds, Keeping, Object, OpenError, StoreError, StoreOptions};
use proptest::prelude::*;
use tempfile::TempDir;

const MIB: usize = 1 << 20;

fn open(path: &Path, memory: u64) -> Result<BlobStore, OpenError> {
    let path = path.to_owned();
    BlobStore::open(&StoreOptions {
        path,
        memory,
        leftovers: Duration::ZERO,
        bounds: Bounds::NONE,
    })
}

fn store(memory: u64) -> (TempDir, BlobStore) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir.path().join("store"), memory).expect("a store");
    (dir, store)
}

/// A digest that no other call gives. The store does not hash, so any will do.
fn digest() -> Digest {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Digest::parse(&format!("sha256:{number:064x}")).expect("a digest")
}

fn file_of(dir: &TempDir, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    dir.path()
        .join("store/blobs/sha256")
        .join(&hex[..2])
        .join(hex)
}

/// Bytes in which every block differs from every other.
fn sample(length: usize) -> Vec<u8> {
    let words = (0..length.div_ceil(8) as u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    bytes.truncate(length);
    bytes
}

fn commit(store: &BlobStore, bytes: &[u8]) -> Digest {
    let digest = digest();
    commit_as(store, &digest, bytes);
    digest
}

fn commit_as(store: &BlobStore, digest: &Digest, bytes: &[u8]) -> Object {
    let partial = store.scratch().expect("a partial");
    for (chunk, at) in bytes.chunks(100_000).zip((0..).step_by(100_000)) {
        partial.write_at(chunk, at).expect("written");
    }
    let committed = partial.commit(digest, bytes.len() as u64, Keeping::default());
    committed.expect("committed")
}

#[tokio::test]
async fn what_the_disk_cannot_take_is_held_in_memory_if_it_is_small() {
    let (_dir, store) = store(1 << 20);
    let (digest, bytes) = (digest(), Bytes::from_static(b"small"));
    assert!(store.hold(&digest, &bytes));
    assert_eq!(store.stat(&digest).await.expect("answered"), Some(5));
    let found = find(&store, &digest).await;
    assert_eq!(found.bytes(5).await.expect("read"), bytes);
    assert!(store.remove(&digest).await.is_ok());
    assert_eq!(store.stat(&digest).await.expect("answered"), None);
    assert!(!store.hold(&digest, &Bytes::from(vec![0; 2 << 20])));
}

async fn find(store: &BlobStore, digest: &Digest) -> Object {
    let found = store.find(digest).await.expect("answered");
    found.expect("stored")
}

async fn read(object: &Object, span: std::ops::Range<u64>) -> std::io::Result<Bytes> {
    let body = object.body(span.clone());
    let length = span.end.saturating_sub(span.start);
    assert_eq!(body.size_hint().exact(), Some(length));
    assert_eq!(body.is_end_stream(), length == 0);
    body.collect()
        .await
        .map(http_body_util::Collected::to_bytes)
}

#[tokio::test]
async fn what_is_committed_is_found() {
    let (dir, store) = store(MIB as u64);
    for length in [0, 1, 1500, 256 * 1024, MIB - 256, MIB, MIB + 1, 3 * MIB] {
        let bytes = sample(length);
        let digest = digest();
        assert!(store.find(&digest).await.expect("answered").is_none());
        assert_eq!(store.stat(&digest).await.expect("answered"), None);
        let committed = commit_as(&store, &digest, &bytes);
        assert_eq!(
            store.stat(&digest).await.expect("answered"),
            Some(length as u64)
        );
        assert_eq!(fs::read(file_of(&dir, &digest)).expect("there"), bytes);
        for object in [
            committed,
            find(&store, &digest).await,
            find(&store, &digest).await,
        ] {
            assert_eq!(object.size(), length as u64);
            assert_eq!(object.bytes(u64::MAX).await.expect("read"), bytes);
            assert_eq!(read(&object, 0..length as u64).await.expect("read"), bytes);
        }
    }
    assert_eq!(
        fs::read_dir(dir.path().join("store/partial"))
            .expect("there")
            .count(),
        0
    );
}

#[tokio::test]
async fn a_store_is_found_again() {
    let (dir, store) = store(0);
    let digest = commit(&store, b"kept");
    drop(store);
    let store = open(&dir.path().join("store"), 0).expect("a store");
    assert_eq!(
        find(&store, &digest).await.bytes(4).await.expect("read"),
        "kept"
    );
    let text = fs::read(dir.path().join("store/format")).expect("there");
    assert_eq!(text, b"2\n");
}

#[tokio::test]
async fn more_bytes_than_wanted_are_refused() {
    let (_dir, store) = store(0);
    let object = find(&store, &commit(&store, b"12345")).await;
    assert_eq!(object.bytes(5).await.expect("read"), "12345");
    let error = object.bytes(4).await.expect_err("too large");
    assert!(
        matches!(error, StoreError::TooLarge { size: 5, max: 4 }),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_on_the_disk_takes_no_memory() {
    let (dir, store) = store(4 << 20);
    let digest = commit(&store, b"abc");
    find(&store, &digest).await;
    assert_eq!(store.stat(&digest).await.expect("answered"), Some(3));
    fs::remove_file(file_of(&dir, &digest)).expect("removed behind its back");
    assert!(store.find(&digest).await.expect("answered").is_none());
}

#[tokio::test]
async fn what_is_removed_is_gone_but_for_those_who_hold_it() {
    let (_dir, store) = store(MIB as u64);
    let bytes = sample(600_000);
    let digest = commit(&store, &bytes);
    let held = find(&store, &digest).await;
    assert!(store.remove(&digest).await.expect("removed"));
    assert!(!store.remove(&digest).await.expect("nothing to remove"));
    assert!(store.find(&digest).await.expect("answered").is_none());
    assert_eq!(store.stat(&digest).await.expect("answered"), None);
    assert_eq!(read(&held, 0..600_000).await.expect("read"), bytes);
    commit_as(&store, &digest, &bytes);
    assert_eq!(find(&store, &digest).await.size(), 600_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_look_up_does_not_bring_back_what_is_removed() {
    let (_dir, store) = store(MIB as u64);
    for _ in 0..100 {
        let digest = commit(&store, b"abc");
        let finds = (0..4).map(|_| {
            let (store, digest) = (store.clone(), digest.clone());
            tokio::spawn(async move { store.find(&digest).await.map(|_| ()) })
        });
        let finds: Vec<_> = finds.collect();
        assert!(store.remove(&digest).await.expect("removed"));
        for find in finds {
            find.await.expect("no panic").expect("answered");
        }
        assert!(store.find(&digest).await.expect("answered").is_none());
    }
}

#[tokio::test]
async fn several_commits_of_one_digest_are_fine() {
    let (_dir, store) = store(0);
    let (digest, bytes) = (digest(), sample(300_000));
    let committers: Vec<_> = (0..4)
        .map(|_| (store.clone(), digest.clone(), bytes.clone()))
        .map(|(store, digest, bytes)| {
            tokio::task::spawn_blocking(move || commit_as(&store, &digest, &bytes))
        })
        .collect();
    for committer in committers {
        let object = committer.await.expect("no panic");
        assert_eq!(object.bytes(u64::MAX).await.expect("read"), bytes);
    }
    assert_eq!(
        find(&store, &digest)
            .await
            .bytes(u64::MAX)
            .await
            .expect("read"),
        bytes
    );
}

#[tokio::test]
async fn a_shrunken_file_is_an_error_of_the_body() {
    let (dir, store) = store(0);
    let digest = commit(&store, &sample(600_000));
    let object = find(&store, &digest).await;
    let file = fs::OpenOptions::new()
        .write(true)
        .open(file_of(&dir, &digest));
    file.expect("opened").set_len(500_000).expect("cut");

    let mut body = object.body(0..600_000);
    let mut got = Vec::new();
    let error = loop {
        match body.frame().await.expect("no silent end") {
            Ok(frame) => got.extend(frame.into_data().expect("data")),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    let text = format!(
        "{} is shorter than it was when committed",
        file_of(&dir, &digest).display()
    );
    assert_eq!(error.to_string(), text);
    assert_eq!(got, sample(600_000)[..got.len()]);
    assert!(body.frame().await.is_none());

    assert!(object.bytes(u64::MAX).await.is_err());
    assert_eq!(
        read(&object, 0..500_000).await.expect("read"),
        sample(600_000)[..500_000]
    );
}

#[tokio::test]
async fn a_span_outside_of_the_object_is_an_error_of_the_body() {
    let (_dir, store) = store(MIB as u64);
    let stored = find(&store, &commit(&store, b"12345")).await;
    let digest = digest();
    assert!(store.hold(&digest, &Bytes::from_static(b"12345")));
    let held = find(&store, &digest).await;
    for object in [stored, held] {
        for span in [0..6, 5..6, 4..u64::MAX, u64::MAX - 1..u64::MAX] {
            // No buffer of that size is made either.
            let error = read(&object, span.clone()).await.expect_err("outside");
            assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{span:?}");
        }
        for span in [0..0, 5..5, 9..9] {
            assert!(read(&object, span).await.expect("read").is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_body_is_its_span(
        length in prop_oneof![0..2000_usize, 0..1_200_000_usize],
        ends in proptest::collection::vec((0.0..=1.0_f64, 0.0..=1.0_f64), 1..6),
        in_memory: bool,
    ) {
        let (_dir, store) = store(4 << 20);
        let bytes = Bytes::from(sample(length));
        let held = digest();
        let digest = if in_memory && store.hold(&held, &bytes) { held } else { commit(&store, &bytes) };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let object = runtime.block_on(find(&store, &digest));
        for (from, to) in ends {
            let at = |part: f64| (part * length as f64) as usize;
            let (start, end) = (at(from.min(to)), at(from.max(to)));
            let got = runtime.block_on(read(&object, start as u64..end as u64));
            prop_assert!(got.expect("read") == bytes.slice(start..end), "{start}..{end}");
        }
    }
}
