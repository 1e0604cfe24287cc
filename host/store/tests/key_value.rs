//! One suite for every adapter of the key-value port.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use ledge_store::{
    KeyValue, KeyValueStore, KvError, MAX_KEY, MAX_VALUE, MemoryKv, OpenKvError, RedbFile,
    open_redb,
};
use proptest::prelude::*;
use tempfile::TempDir;

/// An adapter that makes every change durable at once: what is read comes from the file.
struct Flushed(KeyValue);

impl KeyValueStore for Flushed {
    fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        self.0.get(key)
    }

    fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        self.0.set(key, value)?;
        self.0.flush()
    }

    fn delete(&self, key: &str) -> Result<(), KvError> {
        self.0.delete(key)?;
        self.0.flush()
    }

    fn exists(&self, key: &str) -> Result<bool, KvError> {
        self.0.exists(key)
    }

    fn keys_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, KvError> {
        self.0.keys_after(after, limit)
    }

    fn flush(&self) -> Result<(), KvError> {
        self.0.flush()
    }
}

fn file() -> (TempDir, RedbFile) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = open_redb(&dir.path().join("kv.redb")).expect("a file");
    (dir, file)
}

fn text(value: &'static str) -> Bytes {
    Bytes::from_static(value.as_bytes())
}

#[test]
fn memory_conforms() {
    conforms(&MemoryKv::new(64 << 20));
    let store: KeyValue = Arc::new(MemoryKv::new(64 << 20));
    is_shared(&store);
}

#[test]
fn redb_conforms() {
    let (_dir, file) = file();
    conforms(file.label("default").as_ref());
    is_shared(&file.label("threads"));
}

#[test]
fn redb_conforms_when_all_is_in_the_file() {
    let (_dir, file) = file();
    conforms(&Flushed(file.label("default")));
}

fn conforms(store: &dyn KeyValueStore) {
    sets_gets_and_forgets(store);
    takes_any_text_and_any_bytes(store);
    refuses_what_is_too_long(store);
    lists_keys_in_pages(store);
}

fn sets_gets_and_forgets(store: &dyn KeyValueStore) {
    assert_eq!(store.get("a").expect("answered"), None);
    assert!(!store.exists("a").expect("answered"));
    store.set("a", text("1")).expect("set");
    assert_eq!(store.get("a").expect("answered"), Some(text("1")));
    store.set("a", text("2")).expect("set again");
    assert_eq!(store.get("a").expect("answered"), Some(text("2")));
    assert!(store.exists("a").expect("answered"));
    assert_eq!(store.get("A").expect("answered"), None);
    store.delete("a").expect("deleted");
    store.delete("a").expect("nothing to delete");
    assert_eq!(store.get("a").expect("answered"), None);
    assert!(!store.exists("a").expect("answered"));
}

fn takes_any_text_and_any_bytes(store: &dyn KeyValueStore) {
    let bytes: Bytes = (0..=255).collect();
    for key in ["", " ", "a\0b", "\0", "ä/é", "\u{10ffff}", "../x"] {
        for value in [Bytes::new(), bytes.clone()] {
            store.set(key, value.clone()).expect("set");
            assert_eq!(store.get(key).expect("answered"), Some(value), "{key:?}");
        }
        store.delete(key).expect("deleted");
        assert!(!store.exists(key).expect("answered"), "{key:?}");
    }
}

fn refuses_what_is_too_long(store: &dyn KeyValueStore) {
    let longest = "k".repeat(MAX_KEY);
    let largest = Bytes::from(vec![7; MAX_VALUE]);
    store.set(&longest, largest.clone()).expect("set");
    assert_eq!(store.get(&longest).expect("answered"), Some(largest));
    store.delete(&longest).expect("deleted");

    let long = "k".repeat(MAX_KEY + 1);
    let key_errors = [
        store.get(&long).map(|_| ()),
        store.set(&long, Bytes::new()),
        store.delete(&long),
        store.exists(&long).map(|_| ()),
    ];
    for error in key_errors {
        let error = error.expect_err("too long");
        assert_eq!(
            error.to_string(),
            "the key has 1025 bytes; at most 1024 are taken"
        );
    }
    let large = Bytes::from(vec![7; MAX_VALUE + 1]);
    store.set("a", text("kept")).expect("set");
    let error = store.set("a", large).expect_err("too long");
    assert!(matches!(error, KvError::ValueTooLong { length } if length == MAX_VALUE + 1));
    assert_eq!(store.get("a").expect("answered"), Some(text("kept")));
    store.delete("a").expect("deleted");
}

fn lists_keys_in_pages(store: &dyn KeyValueStore) {
    assert_eq!(store.keys().expect("keys"), Vec::<String>::new());
    for key in ["b", "a", "é", "a/b", "B", "c"] {
        store.set(key, text("x")).expect("set");
    }
    store.delete("c").expect("deleted");
    let page = |after, limit| store.keys_after(after, limit).expect("keys");
    assert_eq!(store.keys().expect("keys"), ["B", "a", "a/b", "b", "é"]);
    assert_eq!(page(None, 2), ["B", "a"]);
    assert_eq!(page(Some("a"), 2), ["a/b", "b"]);
    assert_eq!(page(Some("aa"), 2), ["b", "é"]);
    assert!(page(Some("é"), 2).is_empty());
    assert!(page(None, 0).is_empty());
}

/// Several threads, each with keys of its own and one in common.
fn is_shared(store: &KeyValue) {
    let threads: Vec<_> = (0..4)
        .map(|thread| (thread, store.clone()))
        .map(|(thread, store)| {
            thread::spawn(move || {
                for number in 0..200 {
                    let key = format!("{thread}/{number}");
                    store.set("common", key.clone().into()).expect("set");
                    store.set(&key, key.clone().into()).expect("set");
                    assert_eq!(store.get(&key).expect("answered"), Some(key.into()));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert_eq!(store.keys().expect("keys").len(), 801);
    assert!(store.exists("common").expect("answered"));
}

#[test]
fn labels_are_apart_and_the_same_label_is_one_store() {
    let (_dir, file) = file();
    let (default, catalog) = (file.label("default"), file.label("catalog"));
    default.set("a", text("1")).expect("set");
    assert_eq!(catalog.get("a").expect("answered"), None);
    assert_eq!(
        file.label("default").get("a").expect("answered"),
        Some(text("1"))
    );
    file.flush().expect("flushed");
    assert_eq!(catalog.get("a").expect("answered"), None);
    assert!(catalog.keys().expect("keys").is_empty());
}

#[test]
fn closing_writes_what_waits() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("kv.redb");
    let file = open_redb(&path).expect("a file");
    let label = file.label("default");
    label.set("a", text("1")).expect("set");
    drop(file);
    label
        .set("b", text("2"))
        .expect("set: the label keeps it open");
    drop(label);
    let label = open_redb(&path).expect("a file").label("default");
    assert_eq!(label.keys().expect("keys"), ["a", "b"]);
    assert_eq!(label.get("b").expect("answered"), Some(text("2")));
}

fn open_error(path: &Path) -> String {
    let error = open_redb(path).err().expect("not opened").to_string();
    let shown = path.display().to_string();
    assert!(error.contains(&shown), "{error}");
    error.replace(&shown, "FILE")
}

#[test]
fn a_file_has_one_owner() {
    let (dir, _file) = file();
    assert_eq!(
        open_error(&dir.path().join("kv.redb")),
        "FILE is in use by another process; stop that one, or name another store"
    );
}

#[test]
fn damaged_files_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("kv.redb");
    for garbage in [
        b"x".to_vec(),
        vec![0; 100_000],
        b"redb\x1a\x0a".repeat(9000),
    ] {
        std::fs::write(&path, garbage).expect("written");
        let error = open_redb(&path).err().expect("refused");
        assert!(matches!(error, OpenKvError::Damaged { .. }), "{error:?}");
        let text = open_error(&path);
        assert!(
            text.ends_with("; move it away: what was in it is learned again"),
            "{text}"
        );
    }
}

#[test]
fn a_path_that_leads_nowhere_is_refused() {
    assert_eq!(
        open_error(Path::new("/dev/null/kv.redb")),
        "cannot use FILE: Not a directory (os error 20); mend that, or name another store"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Set(String, Vec<u8>),
    Delete(String),
    Flush,
    Reopen,
    Keys(Option<String>, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let key = || "[ab]{0,3}";
    prop_oneof![
        8 => (key(), proptest::collection::vec(any::<u8>(), 0..4)).prop_map(|(k, v)| Step::Set(k, v)),
        4 => key().prop_map(Step::Delete),
        2 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        4 => (proptest::option::of(key()), 0..6_usize).prop_map(|(a, l)| Step::Keys(a, l)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever waits and whatever is in the file, the answers are those of a map.
    #[test]
    fn redb_is_a_map(steps in proptest::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("kv.redb");
        let mut store = open_redb(&path).expect("a file").label("default");
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set(key, value) => {
                    store.set(&key, value.clone().into()).expect("set");
                    model.insert(key, value);
                }
                Step::Delete(key) => {
                    store.delete(&key).expect("deleted");
                    model.remove(&key);
                }
                Step::Flush => store.flush().expect("flushed"),
                Step::Reopen => {
                    drop(store);
                    store = open_redb(&path).expect("a file").label("default");
                }
                Step::Keys(after, limit) => {
                    let keys = model.keys().filter(|key| Some(*key) > after.as_ref());
                    let keys: Vec<String> = keys.take(limit).cloned().collect();
                    let answer = store.keys_after(after.as_deref(), limit).expect("keys");
                    prop_assert_eq!(answer, keys);
                }
            }
        }
        for (key, value) in &model {
            prop_assert_eq!(store.get(key).expect("answered"), Some(value.clone().into()));
        }
        prop_assert_eq!(store.keys().expect("keys"), model.into_keys().collect::<Vec<_>>());
    }
}
