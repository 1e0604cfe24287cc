//! Opening a store: what is refused, in which words, and what is left alone.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ledge_store::{BlobStore, Bounds, OpenError, StoreOptions};

const LONGEST: Duration = Duration::from_secs(3600);

fn open(path: &Path) -> Result<BlobStore, OpenError> {
    BlobStore::open(&StoreOptions {
        path: path.to_owned(),
        memory: 0,
        leftovers: LONGEST,
        bounds: Bounds::NONE,
    })
}

/// The error's text, with `DIR` for the path.
fn refusal(path: &Path, dir: &Path) -> String {
    let error = open(path).expect_err("refused").to_string();
    error.replace(&dir.display().to_string(), "DIR")
}

#[test]
fn a_store_is_made_with_all_above_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a/b");
    open(&path).expect("a store");
    let mut names: Vec<_> = fs::read_dir(&path)
        .expect("there")
        .map(|entry| entry.expect("a name").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["blobs", "format", "index.redb", "lock", "partial"]);
    assert_eq!(fs::read(path.join("format")).expect("there"), b"2\n");
    let probes = fs::read_dir(path.join("blobs")).expect("there").count();
    assert_eq!(probes, 0);
}

#[test]
fn scratch_files_are_removed_and_objects_are_not() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path()).expect("a store"));
    let left = dir.path().join("partial/scratch.7");
    let object = dir.path().join("blobs/sha256/ab/abc");
    fs::create_dir_all(object.parent().expect("one")).expect("made");
    fs::write(&left, b"half").expect("written");
    fs::write(&object, b"whole").expect("written");
    open(dir.path()).expect("a store");
    assert!(!left.exists());
    assert!(object.exists());
}

#[test]
fn leftovers_stay_as_long_as_the_options_say() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path()).expect("a store"));
    let object = dir.path().join(format!("partial/sha256-{:064x}", 1));
    fs::write(&object, b"half").expect("written");
    fs::write(object.with_extension("marks"), b"").expect("written");
    drop(open(dir.path()).expect("a store"));
    assert_eq!(fs::read(&object).expect("kept"), b"half");

    let file = fs::OpenOptions::new().write(true).open(&object);
    let old = SystemTime::now() - 2 * LONGEST;
    let set = file.expect("opened").set_modified(old);
    set.expect("the file system takes times");
    drop(open(dir.path()).expect("a store"));
    let names = fs::read_dir(dir.path().join("partial")).expect("there");
    assert_eq!(names.count(), 0);
}

#[test]
fn a_store_has_one_owner() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = open(dir.path()).expect("a store");
    let again = first.clone();
    let text = "the store DIR is in use by another process; stop that one, or give this one a directory of its own";
    assert_eq!(refusal(dir.path(), dir.path()), text);
    drop(first);
    let partial = again.scratch().expect("a partial");
    drop(again);
    assert_eq!(refusal(dir.path(), dir.path()), text);
    assert!(partial.path().exists());
    drop(partial);
    open(dir.path()).expect("free again");
}

#[test]
fn other_formats_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path()).expect("a store"));
    let left = dir.path().join("partial/scratch.7");
    fs::write(&left, b"half").expect("written");
    let newer = "the store DIR has format 3, and this version of ledge knows no format above 2; run the newer version, or name another directory";
    let none = "DIR/format does not say which format the store has; name another directory, or empty this one";
    let long = "1".repeat(1 << 20);
    let table = [
        ("3\n", newer),
        ("", none),
        ("one\n", none),
        ("-1\n", none),
        ("1\n1\n", none),
        (&long, none),
    ];
    for (format, text) in table {
        fs::write(dir.path().join("format"), format).expect("written");
        assert_eq!(refusal(dir.path(), dir.path()), text);
        assert!(left.exists());
    }
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let theirs = dir.path().join("partial/packages.deb");
    fs::create_dir(dir.path().join("partial")).expect("made");
    fs::write(&theirs, b"precious").expect("written");
    assert_eq!(
        refusal(dir.path(), dir.path()),
        "DIR is no store of ledge and not empty (there is \"partial\"); name a new or an empty directory"
    );
    assert!(theirs.exists());
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 1);
}

#[test]
fn a_fresh_file_system_and_an_interrupted_start_are_no_obstacle() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("lost+found")).expect("made");
    for name in ["lock", "format.new", "kv.redb"] {
        fs::write(dir.path().join(name), b"").expect("written");
    }
    open(dir.path()).expect("a store");
}

#[test]
fn a_path_through_a_file_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, b"").expect("written");
    for path in [file.clone(), file.join("store"), file.join("a/b")] {
        let text = refusal(&path, &path);
        assert_eq!(
            text,
            "DIR is not a directory, or something above it is not; name another directory"
        );
    }
}

#[test]
fn a_file_in_the_place_of_a_directory_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path()).expect("a store"));
    fs::remove_dir(dir.path().join("partial")).expect("removed");
    fs::write(dir.path().join("partial"), b"").expect("written");
    assert_eq!(
        refusal(dir.path(), dir.path()),
        "DIR/partial is not a directory, or something above it is not; name another directory"
    );
}

#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    // The kernel's own file system takes no directories from anybody, root included.
    assert_eq!(
        refusal(Path::new("/proc/ledge"), Path::new("/proc/ledge")),
        "the store cannot use DIR: No such file or directory (os error 2); mend that, or name another directory"
    );
}
