//! Sweeping while partials live.

use std::thread;
use std::time::SystemTime;

use super::*;

fn nth(byte: u8) -> Digest {
    Digest::from_sha256(&[byte; 32])
}

/// A partial of three bytes and a mark.
fn written(store: &BlobStore, digest: &Digest) -> Partial {
    let mut partial = store.begin(digest).expect("a partial");
    partial.write_at(b"abc", 0).expect("written");
    mark(&mut partial, 3);
    partial
}

/// When everything is too old.
fn late() -> SystemTime {
    SystemTime::now() + Duration::from_secs(7200)
}

#[tokio::test]
async fn only_what_nobody_has_is_swept() {
    let (dir, store) = store();
    written(&store, &nth(1)).keep();
    written(&store, &nth(2)).keep();
    let taken_up = store.resume(&nth(2)).expect("answered").expect("kept");
    let begun = store.begin(&nth(3)).expect("a partial");
    let marked = written(&store, &nth(4));
    let scratch = store.scratch().expect("a partial");
    let all = names(&dir);
    store.sweep(SystemTime::now()).expect("swept");
    assert_eq!(names(&dir), all);

    store.sweep(late()).expect("swept");
    let left: Vec<_> = all
        .into_iter()
        .filter(|name| !name.contains(nth(1).hex()))
        .collect();
    assert_eq!(names(&dir), left);
    assert!(store.resume(&nth(1)).expect("answered").is_none());
    begun.write_at(b"abc", 0).expect("written");
    scratch.write_at(b"abc", 0).expect("written");
    for (partial, byte) in [(taken_up.partial, 2), (begun, 3), (marked, 4), (scratch, 5)] {
        let object = partial
            .commit(&nth(byte), 3, Keeping::default())
            .expect("committed");
        assert_eq!(object.bytes(100).await.expect("read"), "abc");
    }
}

#[test]
fn what_was_given_back_is_swept_when_it_is_old() {
    let (dir, store) = store();
    let partial = written(&store, &nth(1));
    store.sweep(late()).expect("swept");
    partial.keep();
    store.sweep(SystemTime::now()).expect("swept");
    assert_eq!(names(&dir).len(), 2);
    // Marks that a removal has left behind.
    fs::write(
        dir.path()
            .join(format!("partial/sha256-{}.marks", nth(2).hex())),
        b"",
    )
    .expect("written");
    store.sweep(late()).expect("swept");
    assert_eq!(names(&dir), [""; 0]);
}

/// A transfer that begins, or is taken up, while its files are looked at is none the worse for it.
#[test]
fn nobody_is_refused_or_robbed_by_a_sweep() {
    let (_dir, store) = store();
    thread::scope(|threads| {
        let transfers = threads.spawn(|| {
            for _ in 0..500 {
                written(&store, &nth(1)).keep();
                if let Some(left) = store.resume(&nth(1)).expect("not busy") {
                    let mut bytes = [0; 3];
                    left.partial.read_at(&mut bytes, 0).expect("there");
                    assert_eq!((&bytes, left.marks), (b"abc", marks(&[3])));
                    assert!(left.partial.path().exists());
                }
            }
        });
        // Not by a flag: a transfer that panics must end this too.
        while !transfers.is_finished() {
            store.sweep(late()).expect("swept");
        }
    });
}
