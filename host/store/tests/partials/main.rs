//! Objects on their way in: written in any order, kept, taken up again.

mod model;
mod sweep;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledge_core::digest::Digest;
use ledge_store::{BlobStore, Bounds, Keeping, Leftover, Partial, StoreError, StoreOptions};
use tempfile::TempDir;

fn open(dir: &Path) -> BlobStore {
    let options = StoreOptions {
        path: dir.to_owned(),
        memory: 0,
        leftovers: Duration::from_secs(3600),
        bounds: Bounds::NONE,
    };
    BlobStore::open(&options).expect("a store")
}

fn store() -> (TempDir, BlobStore) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    (dir, store)
}

/// The store does not hash, so any will do.
fn digest() -> Digest {
    Digest::from_sha256(&[0xab; 32])
}

/// The same: the hash of a mark.
fn hash(offset: u64) -> String {
    format!("{offset:064x}")
}

fn mark(partial: &mut Partial, offset: u64) {
    partial.mark(offset, &hash(offset)).expect("marked");
}

fn marks(offsets: &[u64]) -> Vec<(u64, String)> {
    offsets.iter().map(|at| (*at, hash(*at))).collect()
}

fn resume(store: &BlobStore) -> Option<Leftover> {
    store.resume(&digest()).expect("answered")
}

fn names(dir: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(dir.path().join("partial")).expect("there");
    let names = entries.map(|entry| entry.expect("a name").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.into_string().expect("text"))
        .collect();
    names.sort();
    names
}

fn object_name() -> String {
    format!("sha256-{}", digest().hex())
}

fn marks_file(dir: &TempDir) -> PathBuf {
    dir.path().join(format!("partial/{}.marks", object_name()))
}

async fn stored(store: &BlobStore) -> Vec<u8> {
    let object = store.find(&digest()).await.expect("answered");
    let bytes = object.expect("stored").bytes(u64::MAX).await;
    bytes.expect("read").to_vec()
}

#[tokio::test]
async fn written_in_any_order_with_a_hole() {
    let (dir, store) = store();
    let partial = store.begin(&digest()).expect("a partial");
    partial.write_at(b"world", 5000).expect("written");
    partial.write_at(b"hello", 0).expect("written");
    partial.write_at(b"H", 0).expect("written again");
    let mut word = [0; 5];
    partial.read_at(&mut word, 5000).expect("read");
    assert_eq!(&word, b"world");
    partial.read_at(&mut word, 2500).expect("a hole");
    assert_eq!(word, [0; 5]);
    let error = partial.read_at(&mut word, 5001).expect_err("the end");
    assert!(matches!(error, StoreError::Io { .. }), "{error}");

    let object = partial
        .commit(&digest(), 5006, Keeping::default())
        .expect("committed");
    let expected = [b"Hello".as_slice(), &[0; 4995], b"world\0"].concat();
    assert_eq!(object.size(), 5006);
    assert_eq!(object.bytes(u64::MAX).await.expect("read"), expected);
    assert_eq!(stored(&store).await, expected);
    assert!(names(&dir).is_empty());
}

#[tokio::test]
async fn what_is_kept_is_taken_up_again() {
    for restart in [false, true] {
        let (dir, mut store) = store();
        let mut first = store.begin(&digest()).expect("a partial");
        first.write_at(b"0123456789", 0).expect("written");
        first.write_at(b"far", 20).expect("written");
        mark(&mut first, 4);
        mark(&mut first, 10);
        let path = first.path().to_owned();
        first.keep();
        assert_eq!(names(&dir), [object_name(), object_name() + ".marks"]);
        if restart {
            drop(store);
            store = open(dir.path());
        }

        let mut left = resume(&store).expect("kept");
        assert_eq!(left.marks, marks(&[4, 10]));
        assert_eq!(left.partial.path(), path);
        let mut bytes = [0; 10];
        left.partial.read_at(&mut bytes, 0).expect("read");
        assert_eq!(&bytes, b"0123456789");
        left.partial.truncate(4).expect("truncated");
        assert_eq!(fs::read(&path).expect("there"), b"0123");
        left.partial.write_at(b"abc", 4).expect("written");
        mark(&mut left.partial, 7);
        left.partial.keep();

        let left = resume(&store).expect("kept again");
        assert_eq!(left.marks, marks(&[4, 7]));
        left.partial
            .commit(&digest(), 7, Keeping::default())
            .expect("committed");
        assert_eq!(stored(&store).await, b"0123abc");
        assert!(names(&dir).is_empty());
        assert!(resume(&store).is_none());
    }
}

#[test]
fn dropped_or_unmarked_ones_leave_nothing() {
    let (dir, store) = store();
    let mut dropped = store.begin(&digest()).expect("a partial");
    dropped.write_at(b"abc", 0).expect("written");
    mark(&mut dropped, 3);
    assert_eq!(names(&dir).len(), 2);
    drop(dropped);
    assert!(names(&dir).is_empty());

    let unmarked = store.begin(&digest()).expect("a partial");
    unmarked.write_at(b"abc", 0).expect("written");
    unmarked.keep();
    assert!(names(&dir).is_empty());

    let mut wrong = store.begin(&digest()).expect("a partial");
    wrong.write_at(b"abc", 0).expect("written");
    mark(&mut wrong, 3);
    wrong.keep();
    let mut left = resume(&store).expect("kept");
    left.partial.truncate(0).expect("truncated");
    left.partial.keep();
    assert!(names(&dir).is_empty());
    assert!(resume(&store).is_none());
}

#[test]
fn a_scratch_file_is_of_no_digest() {
    let (dir, store) = store();
    let mut one = store.scratch().expect("a partial");
    let two = store.scratch().expect("a partial");
    assert_eq!(names(&dir), ["scratch.0", "scratch.1"]);
    one.write_at(b"abc", 0).expect("written");
    one.truncate(2).expect("truncated");
    assert_eq!(fs::read(one.path()).expect("there"), b"ab");
    let error = one.mark(2, &hash(2)).expect_err("no digest");
    assert!(matches!(error, StoreError::NoMark { offset: 2 }), "{error}");
    one.keep();
    drop(two);
    assert!(names(&dir).is_empty());
}

#[test]
fn a_digest_has_one_partial() {
    let (_dir, store) = store();
    let again = store.clone();
    let busy = || {
        let begun = again.begin(&digest()).map(drop).expect_err("one lives");
        let resumed = again.resume(&digest()).map(drop).expect_err("one lives");
        for error in [begun, resumed] {
            let StoreError::Busy { digest: of } = &error else {
                panic!("{error}");
            };
            assert_eq!(*of, digest());
        }
    };
    let mut first = store.begin(&digest()).expect("a partial");
    first.write_at(b"abc", 0).expect("written");
    mark(&mut first, 3);
    busy();
    assert_eq!(fs::read(first.path()).expect("untouched"), b"abc");
    let other = Digest::from_sha512(&[0xab; 64]);
    drop(again.begin(&other).expect("another digest"));

    first.keep();
    let second = resume(&store).expect("kept");
    busy();
    drop(second);
    // A look that finds nothing holds nothing.
    assert!(resume(&store).is_none());
    let third = store.begin(&digest()).expect("a partial");
    busy();
    third
        .commit(&digest(), 0, Keeping::default())
        .expect("committed");
    drop(store.begin(&digest()).expect("a partial"));
}

#[test]
fn a_new_one_starts_empty_and_leaves_readers_alone() {
    let (dir, store) = store();
    let mut first = store.begin(&digest()).expect("a partial");
    first.write_at(b"first", 0).expect("written");
    mark(&mut first, 5);
    let reader = first.file().clone();
    first.keep();
    let second = store.begin(&digest()).expect("a partial");
    assert_eq!(names(&dir), [object_name()]);
    assert_eq!(fs::read(second.path()).expect("there"), b"");
    second.write_at(b"2nd", 0).expect("written");
    let mut bytes = [0; 5];
    reader.read_exact_at(&mut bytes, 0).expect("still there");
    assert_eq!(&bytes, b"first");
}

#[test]
fn marks_are_believed_only_as_far_as_they_can_be() {
    let line = |offset: u64| format!("{offset} {}\n", hash(offset));
    let table = [
        (String::new(), vec![]),
        ("\n".to_owned(), vec![]),
        ("\0".repeat(100), vec![]),
        (line(3) + &line(10), vec![3, 10]),
        (line(3) + &line(11), vec![3]),
        (line(11), vec![]),
        (line(3) + &line(3), vec![3]),
        (line(3) + "garbage\n" + &line(10), vec![3]),
        (line(3) + &line(10)[..60], vec![3]),
        (line(3) + &"9".repeat(2 << 20), vec![3]),
    ];
    for (text, offsets) in table {
        let (dir, store) = store();
        let mut first = store.begin(&digest()).expect("a partial");
        first.write_at(b"0123456789", 0).expect("written");
        mark(&mut first, 1);
        first.keep();
        fs::write(marks_file(&dir), &text).expect("written");
        let left = resume(&store);
        let found = left.as_ref().map(|left| left.marks.clone());
        assert_eq!(found.unwrap_or_default(), marks(&offsets), "{text:.80}");
        assert_eq!(left.is_none(), offsets.is_empty(), "{text:.80}");
        let Some(mut left) = left else { continue };
        // The garbage is gone, so that a new mark is found again.
        mark(&mut left.partial, 10);
        left.partial.keep();
        let again = resume(&store).expect("kept").marks;
        assert_eq!(again.last(), Some(&(10, hash(10))), "{text:.80}");
    }
}

#[test]
fn a_leftover_without_its_marks_is_none() {
    let (dir, store) = store();
    let mut first = store.begin(&digest()).expect("a partial");
    first.write_at(b"abc", 0).expect("written");
    mark(&mut first, 3);
    first.keep();
    fs::remove_file(marks_file(&dir)).expect("removed behind its back");
    assert!(resume(&store).is_none());
    let second = store.begin(&digest()).expect("a partial");
    assert_eq!(fs::read(second.path()).expect("there"), b"");
}

#[test]
fn truncating_never_lengthens() {
    let (_dir, store) = store();
    let mut partial = store.begin(&digest()).expect("a partial");
    partial.write_at(b"abc", 0).expect("written");
    partial.truncate(u64::MAX).expect("nothing to do");
    assert_eq!(fs::read(partial.path()).expect("there"), b"abc");
}

#[test]
fn long_digests_have_long_marks() {
    let (_dir, store) = store();
    let digest = Digest::from_sha512(&[0xab; 64]);
    let mut partial = store.begin(&digest).expect("a partial");
    partial.write_at(b"abc", 0).expect("written");
    let error = partial.mark(3, &hash(3)).expect_err("too short");
    assert!(matches!(error, StoreError::NoMark { offset: 3 }), "{error}");
    partial.mark(3, &hash(3).repeat(2)).expect("marked");
    partial.keep();
    let left = store.resume(&digest).expect("answered").expect("kept");
    assert_eq!(left.marks, [(3, hash(3).repeat(2))]);
}

#[test]
fn a_store_that_is_removed_behind_its_back_is_an_error() {
    let (dir, store) = store();
    store.usage().expect("answered");
    fs::remove_dir_all(dir.path()).expect("removed");
    let error = store.usage().expect_err("no such directory");
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
}
