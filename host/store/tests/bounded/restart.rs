//! What is known of objects after a restart, a crash, and in a store of an earlier format.

use std::fs;

use crate::kit::{KIB, MIB, Site, digest};

const SIZE: usize = 100 * KIB as usize;

#[tokio::test]
async fn a_store_that_was_closed_is_not_looked_at_again() {
    let site = Site::of(32 * MIB);
    for number in 0..20 {
        site.put(number, SIZE);
    }
    let before = site.store.usage().expect("answered");
    let gone = site.object(3);
    let site = site.restarted_after(|_| fs::remove_file(&gone).expect("there"));
    let usage = site.store.usage().expect("answered");
    // The index is believed: nobody listed the objects.
    assert_eq!(
        (usage.objects, usage.stored),
        (before.objects, before.stored)
    );
    // Whoever comes across what is not there drops it.
    assert!(!site.store.remove(&digest(3)).await.expect("answered"));
    assert_eq!(site.store.usage().expect("answered").objects, 19);
}

#[tokio::test]
async fn uses_are_remembered_by_the_next_process() {
    let mut site = Site::of(16 * MIB);
    for number in 0..10 {
        site.put(number, SIZE);
    }
    for round in 1..=3 {
        for number in 0..40 {
            site.put(1000 * round + number, SIZE);
        }
        for number in 0..10 {
            assert!(site.is_there(number, SIZE).await, "{number}, {round}");
        }
        site = site.restarted_after(|_| ());
    }
    for number in 0..130 {
        site.put(9000 + number, SIZE);
    }
    let mut kept = 0;
    for number in 0..10 {
        kept += u32::from(site.is_there(number, SIZE).await);
    }
    assert!(kept >= 9, "{kept} of 10");
}

#[tokio::test]
async fn after_a_kill_objects_and_entries_find_each_other() {
    let site = Site::of(32 * MIB);
    for number in 0..30 {
        site.put(number, SIZE);
    }
    // Nothing of this is in the index's file yet, or only a part.
    let site = site.killed();
    site.wait_for_the_walk();
    assert_eq!(site.store.usage().expect("answered").objects, 30);
    let gone = site.object(7);
    let site = {
        fs::remove_file(gone).expect("there");
        site.killed()
    };
    site.wait_for_the_walk();
    assert_eq!(site.store.usage().expect("answered").objects, 29);
}

#[tokio::test]
async fn a_store_of_the_first_format_is_taken_over() {
    let site = Site::of(32 * MIB);
    for number in 0..30 {
        site.put(number, SIZE);
    }
    let site = site.restarted_after(|path| {
        fs::remove_file(path.join("index.redb")).expect("there");
        fs::write(path.join("format"), "1\n").expect("written");
    });
    let format = fs::read(site.path().join("format")).expect("there");
    assert_eq!(format, b"2\n");
    for number in 0..30 {
        assert!(site.is_there(number, SIZE).await);
    }
    site.wait_for_the_walk();
    // And bounded from now on.
    for number in 100..500 {
        site.put(number, SIZE);
    }
    assert!(crate::kit::du(site.path()) <= 32 * MIB);
}

#[tokio::test]
async fn an_object_that_the_index_forgot_is_entered_when_it_is_used() {
    let site = Site::of(32 * MIB);
    site.put(1, SIZE);
    let (from, to) = (site.object(1), site.object(2));
    fs::create_dir_all(to.parent().expect("one")).expect("made");
    fs::copy(from, to).expect("copied");
    assert!(site.find(2).await.is_some());
    // Uses are written down when the store is closed, at the latest.
    let site = site.restarted_after(|_| ());
    assert_eq!(site.store.usage().expect("answered").objects, 2);
}

#[test]
fn a_damaged_index_is_refused_and_says_what_to_do() {
    let site = Site::of(32 * MIB);
    let path = site.path().to_owned();
    let options = ledge_store::StoreOptions {
        path: path.clone(),
        memory: 0,
        leftovers: std::time::Duration::ZERO,
        bounds: ledge_store::Bounds::NONE,
    };
    drop(site.store);
    fs::write(path.join("index.redb"), vec![7; 100_000]).expect("written");
    let error = ledge_store::BlobStore::open(&options).expect_err("damaged");
    let text = error.to_string();
    assert!(text.contains("index.redb is damaged"), "{text}");
    fs::remove_file(path.join("index.redb")).expect("there");
    ledge_store::BlobStore::open(&options).expect("made again");
}
