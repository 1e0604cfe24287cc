//! What an operator's commands ask of the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ledge_core::digest::Digest;
use ledge_store::{
    Amount, BlobStore, Bounds, Class, Fate, Keeping, StoreError, StoreOptions, open_redb,
};
use tempfile::TempDir;

fn digest(byte: u8) -> Digest {
    Digest::from_sha256(&[byte; 32])
}

fn open(path: &Path, max_size: Option<u64>) -> BlobStore {
    let options = StoreOptions {
        path: path.to_owned(),
        memory: 1 << 20,
        leftovers: Duration::from_secs(3600),
        bounds: Bounds {
            max_size: max_size.map(Amount::Bytes),
            ..Bounds::NONE
        },
    };
    BlobStore::open(&options).expect("a store")
}

/// An empty store, through which somebody has walked: from here on it mends nothing by itself.
fn site() -> (TempDir, BlobStore) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir.path().join("store"), None);
    store.recover().expect("walked");
    (dir, store)
}

fn put_as(store: &BlobStore, digest: &Digest, bytes: &[u8], class: Class) {
    let partial = store.begin(digest).expect("a partial");
    partial.write_at(bytes, 0).expect("written");
    let keeping = Keeping {
        class,
        priority: 128,
    };
    let committed = partial.commit(digest, bytes.len() as u64, keeping);
    committed.expect("committed");
}

fn put(store: &BlobStore, digest: &Digest, bytes: &[u8]) {
    put_as(store, digest, bytes, Class::Cached);
}

fn file(dir: &TempDir, digest: &Digest) -> PathBuf {
    let shard = dir
        .path()
        .join("store/blobs/sha256")
        .join(&digest.hex()[..2]);
    shard.join(digest.hex())
}

#[test]
fn pages_list_all_objects_in_order() {
    let (_dir, store) = site();
    let all: Vec<Digest> = (0..10).map(digest).collect();
    all.iter()
        .rev()
        .for_each(|digest| put(&store, digest, b"abc"));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.page(after.as_deref(), 3);
        seen.extend(page.objects.into_iter().map(|about| about.digest));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, all);
    let about = store.about(&digest(3)).expect("known");
    assert_eq!((about.disk, about.keeping.class), (4096, Class::Cached));
    let age = SystemTime::now()
        .duration_since(about.used)
        .expect("before");
    assert!(age < Duration::from_secs(600), "{age:?}");
    assert_eq!(store.about(&digest(77)), None);
}

#[tokio::test]
async fn what_is_quarantined_is_gone_and_kept_aside() {
    let (dir, store) = site();
    put(&store, &digest(1), b"right");
    store.find(&digest(1)).await.expect("found");
    let stored = store.look(&digest(1)).expect("looked").expect("there");
    let mut bytes = [0; 9];
    assert_eq!(stored.read_at(&mut bytes, 1).expect("read"), 4);
    assert_eq!((stored.size(), &bytes[..4]), (5, &b"ight"[..]));
    assert_eq!(store.quarantine(&stored, true).expect("moved"), Fate::Kept);
    assert!(store.find(&digest(1)).await.expect("asked").is_none());
    assert_eq!(store.usage().expect("asked").objects, 0);
    let kept = store.quarantined().expect("listed");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].name, digest(1).as_str().replace(':', "-"));
    let path = dir.path().join("store/quarantine").join(&kept[0].name);
    assert_eq!(fs::read(path).expect("kept"), b"right");

    // What it takes counts, also for the next process.
    let with = store.usage().expect("asked").used;
    drop((stored, store));
    let store = open(&dir.path().join("store"), None);
    let again = store.usage().expect("asked").used;
    assert_eq!(store.empty_quarantine().expect("emptied"), kept[0].disk);
    let without = store.usage().expect("asked").used;
    assert_eq!(again - without, kept[0].disk);
    assert!(with >= kept[0].disk);
}

#[test]
fn what_was_renewed_meanwhile_is_left_alone() {
    let (dir, store) = site();
    put(&store, &digest(1), b"wrong");
    let stored = store.look(&digest(1)).expect("looked").expect("there");
    put(&store, &digest(1), b"right");
    assert_eq!(
        store.quarantine(&stored, true).expect("answered"),
        Fate::Replaced
    );
    assert_eq!(fs::read(file(&dir, &digest(1))).expect("there"), b"right");
    let stored = store.look(&digest(1)).expect("looked").expect("there");
    assert_eq!(
        store.quarantine(&stored, false).expect("deleted"),
        Fate::Deleted
    );
    assert_eq!(store.quarantined().expect("listed"), []);
}

#[test]
fn the_quarantine_is_bounded() {
    let dir = tempfile::tempdir().expect("a directory");
    // A thirty-second of this are two of the files below.
    let store = open(&dir.path().join("store"), Some(64 << 20));
    for byte in 0..4 {
        put(&store, &digest(byte), &vec![byte; 1 << 20]);
        let stored = store.look(&digest(byte)).expect("looked").expect("there");
        assert_eq!(store.quarantine(&stored, true).expect("moved"), Fate::Kept);
    }
    let kept: u64 = store
        .quarantined()
        .expect("listed")
        .iter()
        .map(|f| f.disk)
        .sum();
    assert_eq!(kept, 2 << 20);
    put(&store, &digest(9), &vec![9; 3 << 20]);
    let stored = store.look(&digest(9)).expect("looked").expect("there");
    assert_eq!(
        store.quarantine(&stored, true).expect("answered"),
        Fate::Deleted
    );
}

#[test]
fn mending_says_what_it_found() {
    let (dir, store) = site();
    for byte in [0x11, 0x12] {
        put(&store, &digest(byte), b"abc");
    }
    // Another of the same first byte, that nobody entered.
    let mut bytes = [0x11; 32];
    bytes[31] = 0;
    let found = Digest::from_sha256(&bytes);
    fs::write(file(&dir, &found), b"abc").expect("written");
    let foreign = file(&dir, &digest(0x11)).with_file_name("foreign");
    fs::write(&foreign, b"x").expect("written");
    let theirs = foreign.with_file_name("theirs");
    fs::create_dir(&theirs).expect("made");
    fs::remove_file(file(&dir, &digest(0x11))).expect("removed");
    let mended = store.mend(0x11).expect("mended");
    assert_eq!(mended.entered, std::slice::from_ref(&found));
    assert_eq!(mended.objects, [found]);
    assert_eq!(mended.forgotten, [digest(0x11).hex()]);
    let fates: Vec<Fate> = mended
        .strangers
        .iter()
        .map(|stranger| store.expel(stranger, true).expect("expelled"))
        .collect();
    assert_eq!(fates.len(), 2);
    assert!(fates.contains(&Fate::Kept) && fates.contains(&Fate::Left));
    assert!(!foreign.exists() && theirs.is_dir());
    let again = store.mend(0x11).expect("mended");
    assert_eq!((again.entered.len(), again.forgotten.len()), (0, 0));
    assert_eq!(store.usage().expect("asked").objects, 2);
}

#[test]
fn a_wrong_size_is_corrected() {
    let (dir, store) = site();
    put(&store, &digest(1), b"abc");
    let stored = store.look(&digest(1)).expect("looked").expect("there");
    assert!(!store.correct(&stored));
    let before = store.usage().expect("asked").stored;
    fs::write(file(&dir, &digest(1)), vec![1; 20_000]).expect("written");
    let stored = store.look(&digest(1)).expect("looked").expect("there");
    assert!(store.correct(&stored));
    let after = store.usage().expect("asked").stored;
    assert_eq!(after - before, 20_480 - 4096);
}

#[test]
fn removing_asks_again() {
    let (_dir, store) = site();
    put_as(&store, &digest(1), b"abc", Class::Pinned);
    let is_cached = |class| class == Class::Cached;
    let removed = store.remove_if(&digest(1), |about| is_cached(about.keeping.class));
    assert!(!removed.expect("asked"));
    assert!(store.remove_if(&digest(1), |_| true).expect("removed"));
    assert!(!store.remove_if(&digest(1), |_| true).expect("asked"));
}

#[test]
fn room_is_promised_for_several_and_given_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir.path().join("store"), Some(32 << 20));
    assert!(matches!(
        store.room(64 << 20),
        Err(StoreError::NoRoom { .. })
    ));
    let room = store.room(16 << 20).expect("room");
    assert_eq!(store.usage().expect("asked").promised, 16 << 20);
    assert!(store.room(16 << 20).is_err(), "it is promised");
    room.give((8 << 20) - 4096);
    assert_eq!(store.usage().expect("asked").promised, 8 << 20);
    drop(room);
    assert_eq!(store.usage().expect("asked").promised, 0);
}

#[test]
fn leftovers_go_when_they_are_told_to() {
    let (_dir, store) = site();
    let mut partial = store.begin(&digest(1)).expect("a partial");
    partial.write_at(&[7; 8192], 0).expect("written");
    partial.mark(8192, digest(0).hex()).expect("marked");
    partial.keep();
    let working = store.begin(&digest(2)).expect("a partial");
    let now = SystemTime::now();
    assert!(store.drop_leftovers(now).expect("dropped") >= 8192);
    assert_eq!(store.drop_leftovers(now).expect("dropped"), 0);
    assert!(working.path().exists());
}

#[test]
fn records_are_listed_with_their_times_and_not_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = open_redb(&dir.path().join("kv.redb")).expect("made");
    let label = file.label("default");
    for key in ["a", "b", "c"] {
        label.set(key, key.to_owned().into()).expect("set");
    }
    let page = file.page("default", Some("a"), 1).expect("read");
    assert_eq!((page[0].key.as_str(), &page[0].value[..]), ("b", &b"b"[..]));
    assert!(page[0].used.expect("stamped") <= SystemTime::now());
    assert_eq!(file.page("default", None, 10).expect("read").len(), 3);
    assert_eq!(file.page("other", None, 10).expect("read"), []);
}
