//! What a killed process leaves behind. This binary starts itself again as the process that is
//! killed (SIGKILL), so it has a `main` of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ledge_core::digest::Digest;
use ledge_store::{Amount, BlobStore, Bounds, Keeping, OpenError, StoreOptions, open_redb};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The hash of a mark. The store does not hash, so any will do.
const MARK: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "hold-store", path] => hold_store(Path::new(path)),
        [_, "write-records", path, first] => write_records(Path::new(path), first),
        [_, "fill-and-evict", path, first] => fill_and_evict(Path::new(path), first),
        _ => {
            a_killed_owner_is_no_obstacle();
            a_kill_while_it_evicts_leaves_whole_objects_within_the_bound();
            flushed_records_survive_a_kill();
            println!("crash tests: ok");
        }
    }
}

fn start(arguments: &[&str]) -> Child {
    let me = std::env::current_exe().expect("a path");
    let mut command = Command::new(me);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.spawn().expect("started")
}

/// Reads lines until the last of `count`, then kills. The last line.
fn kill_after(mut child: Child, count: usize) -> String {
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let lines: Result<Vec<String>, _> = lines.take(count).collect();
    child.kill().expect("killed");
    child.wait().expect("gone");
    let last = lines.expect("text").pop();
    last.expect("the child said something")
}

fn open(path: &Path) -> Result<BlobStore, OpenError> {
    open_bounded(path, Bounds::NONE)
}

fn open_bounded(path: &Path, bounds: Bounds) -> Result<BlobStore, OpenError> {
    BlobStore::open(&StoreOptions {
        path: path.to_owned(),
        memory: 0,
        leftovers: Duration::from_secs(3600),
        bounds,
    })
}

/// The child: commits one object, leaves three others half there, and waits to be killed.
fn hold_store(path: &Path) {
    let digest = Digest::parse(DIGEST).expect("a digest");
    let store = open(path).expect("a store");
    let mut whole = store.begin(&digest).expect("a partial");
    whole.write_at(b"whole", 0).expect("written");
    whole.mark(5, MARK).expect("marked");
    whole
        .commit(&digest, 5, Keeping::default())
        .expect("committed");
    let mut half = store.begin(&half_digest()).expect("a partial");
    half.write_at(&[7; 100_000], 0).expect("written");
    half.mark(60_000, MARK).expect("marked");
    let unmarked = store.begin(&unmarked_digest()).expect("a partial");
    unmarked.write_at(b"abc", 0).expect("written");
    let scratch = store.scratch().expect("a partial");
    scratch.write_at(b"abc", 0).expect("written");
    say("ready");
    // Ends never: the other side writes nothing.
    let _ = std::io::stdin().lines().next();
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("a reader");
}

fn a_killed_owner_is_no_obstacle() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("store");
    let mut child = start(&["hold-store", path.to_str().expect("text")]);
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");

    let error = open(&path).expect_err("in use");
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    let partials = || {
        std::fs::read_dir(path.join("partial"))
            .expect("there")
            .count()
    };
    // The marked one has two files.
    assert_eq!(partials(), 4);

    child.kill().expect("killed");
    child.wait().expect("gone");
    let store = open(&path).expect("free again");
    assert_eq!(partials(), 2);
    check_half(&store);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let digest = Digest::parse(DIGEST).expect("a digest");
    let object = runtime.block_on(store.find(&digest)).expect("answered");
    let bytes = runtime.block_on(object.expect("committed").bytes(100));
    assert_eq!(bytes.expect("read"), "whole");
}

/// What was marked is taken up again; what was not is gone.
fn check_half(store: &BlobStore) {
    let gone = store.resume(&unmarked_digest()).expect("answered");
    assert!(gone.is_none());
    let half = store.resume(&half_digest()).expect("answered");
    let half = half.expect("left by the killed one");
    assert_eq!(half.marks, [(60_000, MARK.to_owned())]);
    let mut bytes = vec![0; 100_000];
    half.partial.read_at(&mut bytes, 0).expect("read");
    assert_eq!(bytes, [7; 100_000]);
}

fn half_digest() -> Digest {
    Digest::from_sha256(&[1; 32])
}

fn unmarked_digest() -> Digest {
    Digest::from_sha256(&[2; 32])
}

/// What a store takes that evicts at every other object, and how large those are.
const BOUND: u64 = 4 << 20;
const OBJECT: usize = 300_000;

/// More than the child can commit between its last word that is read and its end.
const UNSAID: u32 = 100;

const BOUNDS: Bounds = Bounds {
    max_size: Some(Amount::Bytes(BOUND)),
    ..Bounds::NONE
};

fn numbered(number: u32) -> (Digest, Vec<u8>) {
    let mut name = [0; 32];
    name[..4].copy_from_slice(&number.wrapping_mul(0x9E37_79B9).to_be_bytes());
    (Digest::from_sha256(&name), vec![number as u8; OBJECT])
}

/// The child: commits one object after the other, and says so, for ever.
fn fill_and_evict(path: &Path, first: &str) {
    let store = open_bounded(path, BOUNDS).expect("a store");
    let first: u32 = first.parse().expect("a number");
    for number in first.. {
        let (digest, bytes) = numbered(number);
        let partial = store.begin(&digest).expect("a partial");
        partial.reserve(OBJECT as u64).expect("room");
        partial.write_at(&bytes, 0).expect("written");
        let committed = partial.commit(&digest, OBJECT as u64, Keeping::default());
        committed.expect("committed");
        say(&number.to_string());
    }
}

fn a_kill_while_it_evicts_leaves_whole_objects_within_the_bound() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("store");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut next = 0;
    for round in 1..=6 {
        let child = start(&[
            "fill-and-evict",
            path.to_str().expect("text"),
            &next.to_string(),
        ]);
        let said: u32 = kill_after(child, 15 + 7 * round).parse().expect("a number");
        let store = open_bounded(&path, BOUNDS).expect("free again");
        let mut found = 0;
        // Some may be there that were not said.
        for number in 0..=said + UNSAID {
            let (digest, bytes) = numbered(number);
            let object = runtime.block_on(store.find(&digest)).expect("answered");
            let Some(object) = object else { continue };
            let read = runtime.block_on(object.bytes(u64::MAX)).expect("read");
            assert!(read == bytes, "round {round}: other bytes of {number}");
            found += 1;
        }
        assert!(
            found * OBJECT as u64 <= BOUND,
            "round {round}: {found} objects"
        );
        assert!(
            found * OBJECT as u64 >= BOUND / 2,
            "round {round}: {found} objects are left"
        );
        next = said + UNSAID + 1;
    }
}

/// The child: sets two records a round that belong together, flushes, and says so, for ever.
fn write_records(path: &Path, first: &str) {
    let file = open_redb(path).expect("a file");
    let (left, right) = (file.label("left"), file.label("right"));
    let first: u32 = first.parse().expect("a number");
    for number in first.. {
        let (key, value) = (number.to_string(), vec![b'v'; 1000]);
        left.set(&key, value.clone().into()).expect("set");
        right.set(&key, value.into()).expect("set");
        left.set("last", key.clone().into()).expect("set");
        file.flush().expect("flushed");
        say(&key);
    }
}

fn flushed_records_survive_a_kill() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("kv.redb");
    let mut next = 0;
    for round in 1..=8 {
        let path_text = path.to_str().expect("text");
        let child = start(&["write-records", path_text, &next.to_string()]);
        let said: u32 = kill_after(child, round * 3).parse().expect("a number");
        next = check_records(&path, said) + 1;
    }
}

/// Every record up to the one that was said is there, and later ones whole. The last one's number.
fn check_records(path: &Path, said: u32) -> u32 {
    let file = open_redb(path).expect("opens after a kill");
    let (left, right) = (file.label("left"), file.label("right"));
    let last = left.get("last").expect("answered").expect("there");
    let last: u32 = String::from_utf8(last.to_vec())
        .expect("text")
        .parse()
        .expect("a number");
    assert!(last >= said, "{last} is in the file, {said} was flushed");
    for number in 0..=last {
        for label in [&left, &right] {
            let value = label.get(&number.to_string()).expect("answered");
            assert_eq!(value.expect("there"), vec![b'v'; 1000], "{number}");
        }
    }
    assert_eq!(right.keys().expect("keys").len(), last as usize + 1);
    last
}
