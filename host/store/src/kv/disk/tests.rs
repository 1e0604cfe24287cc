//! The writer, over a disk that can be broken and mended.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use redb::StorageBackend;

use super::*;

/// Long enough for any machine; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default)]
struct Disk(Arc<(Mutex<Content>, Condvar)>);

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    full: bool,
    syncs: usize,
}

impl Disk {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.0.lock().expect("no panic")
    }

    fn set_full(&self, full: bool) {
        self.content().full = full;
    }

    fn opener(&self) -> Opener {
        let disk = self.clone();
        Box::new(move || Builder::new().create_with_backend(disk.clone()))
    }

    fn open(&self) -> RedbFile {
        start(Path::new("kv.redb"), self.opener()).expect("opened")
    }

    /// What a machine finds on the disk that lost its power now.
    fn image(&self) -> Self {
        let bytes = self.content().bytes.clone();
        let content = Content {
            bytes,
            ..Content::default()
        };
        Self(Arc::new((Mutex::new(content), Condvar::new())))
    }

    fn changing(&self) -> io::Result<MutexGuard<'_, Content>> {
        let content = self.content();
        if content.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(content)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        out.copy_from_slice(&self.content().bytes[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).expect("small");
        self.changing()?.bytes.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.changing()?.syncs += 1;
        self.0.1.notify_all();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        self.changing()?.bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn text(value: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(value.as_bytes()))
}

fn set(store: &KeyValue, key: &str, value: &'static str) {
    store.set(key, value.into()).expect("set");
}

fn get(store: &KeyValue, key: &str) -> Option<Bytes> {
    store.get(key).expect("answered")
}

#[test]
fn nobody_who_sets_waits_for_the_disk() {
    let disk = Disk::default();
    let store = disk.open().label("default");
    let before = disk.content().syncs;
    // The disk takes nothing while this is held.
    let held = disk.content();
    set(&store, "a", "1");
    store.delete("b").expect("deleted");
    assert_eq!(get(&store, "a"), text("1"));
    assert_eq!(held.syncs, before);
}

#[test]
fn what_is_set_is_written_without_being_asked_for() {
    let disk = Disk::default();
    let store = disk.open().label("default");
    let before = disk.content().syncs;
    set(&store, "a", "1");
    let synced = disk
        .0
        .1
        .wait_timeout_while(disk.content(), PATIENCE, |disk| disk.syncs == before);
    let (content, timeout) = synced.expect("no panic");
    assert!(!timeout.timed_out());
    drop(content);
    // The commit has more than one write: this waits for its end, and has nothing else to do.
    store.flush().expect("flushed");
    assert_eq!(get(&disk.image().open().label("default"), "a"), text("1"));
}

#[test]
fn a_power_cut_loses_what_waits_and_nothing_else() {
    let disk = Disk::default();
    let file = disk.open();
    let store = file.label("default");
    set(&store, "a", "1");
    file.flush().expect("flushed");
    let image = disk.image();
    set(&store, "a", "2");
    let after = image.open().label("default");
    assert_eq!(get(&after, "a"), text("1"));
    assert_eq!(after.keys().expect("keys"), ["a"]);
}

#[test]
fn a_full_disk_loses_nothing_and_is_tried_again() {
    let disk = Disk::default();
    let file = disk.open();
    let store = file.label("default");
    set(&store, "written", "1");
    file.flush().expect("flushed");

    disk.set_full(true);
    set(&store, "waits", "2");
    store.delete("written").expect("deleted");
    file.flush().expect_err("full");
    set(&store, "later", "3");
    file.flush().expect_err("still full");
    assert_eq!(get(&store, "waits"), text("2"));
    assert_eq!(get(&store, "later"), text("3"));
    assert_eq!(get(&store, "written"), None);

    disk.set_full(false);
    file.flush().expect("room again");
    assert_eq!(store.keys().expect("keys"), ["later", "waits"]);
    assert_eq!(get(&store, "nothing"), None);
    drop((file, store));
    let again = disk.open().label("default");
    assert_eq!(again.keys().expect("keys"), ["later", "waits"]);
}

#[test]
fn what_is_written_waits_no_more() {
    let disk = Disk::default();
    let store = disk.open().label("default");
    // Three times as much as may wait at a time.
    for round in 0..48 {
        let value = Bytes::from(vec![round; super::super::MAX_VALUE]);
        store.set("a", value).expect("room");
        store.flush().expect("flushed");
    }
    let value = get(&store, "a").expect("there");
    assert_eq!(value[..4], [47; 4]);
}
