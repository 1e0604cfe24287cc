//! A store with bounds: what it takes of the disk, what goes, and what does not.

mod kit;
mod model;
mod restart;

use std::time::{Duration, SystemTime};

use ledge_store::{Amount, Bounds, Class, Keeping, StoreError};

use kit::{KIB, MIB, Site, du, keep};

#[tokio::test]
async fn what_comes_is_made_room_for_and_the_whole_directory_stays_within_its_bound() {
    let site = Site::of(8 * MIB);
    for number in 0..400 {
        site.put(number, 60 * KIB as usize);
        let du = du(site.path());
        assert!(du <= 8 * MIB, "{du} bytes after {number}");
    }
    let usage = site.store.usage().expect("answered");
    assert!(usage.evicted > 200, "{usage:?}");
    assert!(usage.objects > 50, "{usage:?}");
    let mut found = 0;
    for number in 0..400 {
        found += u64::from(site.is_there(number, 60 * KIB as usize).await);
    }
    assert_eq!(found, usage.objects);
}

#[test]
fn it_counts_what_du_counts() {
    let site = Site::with(0, Bounds::NONE);
    for number in 0..20 {
        site.put(number, 1 + 3000 * number as usize);
    }
    site.leave(100, MIB);
    let site = site.restarted_after(|_| ());
    let live = site.store.begin(&kit::digest(101)).expect("a partial");
    live.write_at(&[1; 100_000], 50_000).expect("written");
    let (used, du) = (site.store.usage().expect("answered").used, du(site.path()));
    assert!(used.abs_diff(du) < 64 * KIB, "{used} for {du}");
}

#[tokio::test]
async fn what_cannot_fit_is_refused_and_costs_nobody_anything() {
    let site = Site::of(8 * MIB);
    site.put(1, 4 * MIB as usize);
    let partial = site.store.begin(&kit::digest(2)).expect("a partial");
    for need in [8 * MIB, u64::MAX] {
        let error = partial.reserve(need).expect_err("too much");
        assert!(matches!(error, StoreError::NoRoom { .. }), "{error}");
    }
    assert!(site.is_there(1, 4 * MIB as usize).await);
    assert_eq!(site.store.usage().expect("answered").promised, 0);
    // What is promised is nobody else's, and is given back.
    partial.reserve(2 * MIB).expect("room");
    let other = site.store.begin(&kit::digest(3)).expect("a partial");
    let error = other.reserve(6 * MIB).expect_err("promised");
    assert!(matches!(error, StoreError::NoRoom { .. }), "{error}");
    drop(partial);
    other.reserve(6 * MIB).expect("room");
    assert!(!site.is_there(1, 4 * MIB as usize).await);
}

#[tokio::test]
async fn of_an_unknown_size_room_is_made_as_it_comes() {
    let site = Site::of(8 * MIB);
    site.put(1, 5 * MIB as usize);
    let partial = site.store.begin(&kit::digest(2)).expect("a partial");
    let block = vec![7; 64 * KIB as usize];
    let mut at = 0;
    let error = loop {
        match partial.write_at(&block, at) {
            Ok(()) => at += block.len() as u64,
            Err(error) => break error,
        }
        assert!(du(site.path()) <= 8 * MIB);
    };
    assert!(matches!(error, StoreError::NoRoom { .. }), "{error}");
    assert!(at > 5 * MIB, "{at}");
    assert!(!site.is_there(1, 5 * MIB as usize).await);
    drop(partial);
    site.put(3, 5 * MIB as usize);
}

#[tokio::test]
async fn what_is_read_goes_last_and_is_never_cut() {
    let site = Site::of(8 * MIB);
    let size = MIB as usize;
    site.put(1, size);
    let object = site.find(1).await.expect("stored");
    for number in 2..30 {
        site.put(number, size);
    }
    assert!(site.is_there(1, size).await, "somebody reads it");
    // Whoever removes it cuts nobody, and its room is taken until it is closed.
    assert!(site.store.remove(&kit::digest(1)).await.expect("removed"));
    assert!(site.find(1).await.is_none());
    let held = site.store.usage().expect("answered").held;
    assert!(held >= MIB, "{held}");
    let bytes = object.bytes(u64::MAX).await.expect("read");
    assert!(bytes == kit::bytes(1, size), "other bytes");
    drop(object);
    assert_eq!(site.store.usage().expect("answered").held, 0);
}

#[tokio::test]
async fn leftovers_go_first_the_oldest_of_them() {
    let site = Site::of(16 * MIB);
    site.put(1, 4 * MIB as usize);
    for number in [2, 3] {
        site.leave(number, 4 * MIB);
    }
    let usage = site.store.usage().expect("answered");
    assert!(usage.unfinished >= 8 * MIB, "{usage:?}");
    site.put(4, 6 * MIB as usize);
    assert!(site.is_there(1, 4 * MIB as usize).await);
    assert!(
        site.store
            .resume(&kit::digest(2))
            .expect("answered")
            .is_none()
    );
    let left = site.store.resume(&kit::digest(3)).expect("answered");
    left.expect("the younger one").partial.keep();
    site.put(5, 4 * MIB as usize);
    assert!(
        site.store
            .resume(&kit::digest(3))
            .expect("answered")
            .is_none()
    );
    assert!(site.is_there(1, 4 * MIB as usize).await);
    assert_eq!(site.store.usage().expect("answered").unfinished, 0);
}

#[tokio::test]
async fn what_is_pinned_or_hosted_stays() {
    let mut site = Site::of(8 * MIB);
    let size = MIB as usize;
    site.put_as(1, size, keep(Class::Pinned));
    site.put_as(2, size, keep(Class::Hosted));
    // The stronger of two reasons stays.
    site.put_as(1, size, keep(Class::Cached));
    for round in 0..2 {
        for number in 10..40 {
            site.put(number + 100 * round, size);
        }
        let usage = site.store.usage().expect("answered");
        assert!(usage.fixed >= 2 * MIB && usage.fixed < 3 * MIB, "{usage:?}");
        site = site.killed();
        assert!(site.is_there(1, size).await);
        assert!(site.is_there(2, size).await);
    }
    // They count, and nobody takes their room.
    let partial = site.store.begin(&kit::digest(3)).expect("a partial");
    let error = partial.reserve(6 * MIB).expect_err("too much");
    assert!(matches!(error, StoreError::NoRoom { .. }), "{error}");
}

#[tokio::test]
async fn what_nobody_uses_goes_with_age() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let site = Site::with(
        0,
        Bounds {
            max_age: Some(DAY),
            ..Bounds::NONE
        },
    );
    for number in [1, 2] {
        site.put(number, 100);
    }
    site.put_as(3, 100, keep(Class::Pinned));
    let now = SystemTime::now();
    site.store.sweep(now + DAY / 2).expect("swept");
    assert!(site.is_there(1, 100).await);
    site.store.sweep(now + DAY + DAY / 2).expect("swept");
    assert!(!site.is_there(1, 100).await && !site.is_there(2, 100).await);
    assert!(site.is_there(3, 100).await);
    assert_eq!(site.store.usage().expect("answered").evicted, 2);
}

#[tokio::test]
async fn what_is_used_outlives_a_scan() {
    let site = Site::of(6 * MIB);
    let size = 100 * KIB as usize;
    for number in 0..20 {
        site.put(number, size);
    }
    // Used now and then, while ten times what the store takes passes through.
    for number in 100..700 {
        site.put(number, size);
        if number % 20 == 0 {
            for wanted in 0..20 {
                if !site.is_there(wanted, size).await {
                    site.put(wanted, size);
                }
            }
        }
    }
    let mut kept = 0;
    for number in 0..20 {
        kept += u32::from(site.is_there(number, size).await);
    }
    assert!(kept >= 19, "{kept} of 20");
}

#[tokio::test]
async fn the_file_system_keeps_what_it_is_to_keep() {
    let free = {
        let dir = tempfile::tempdir().expect("a directory");
        let about = rustix::fs::statvfs(dir.path()).expect("answered");
        about.f_bavail * about.f_frsize
    };
    let site = Site::with(
        0,
        Bounds {
            min_free: Some(Amount::Bytes(free * 2)),
            ..Bounds::NONE
        },
    );
    let partial = site.store.begin(&kit::digest(1)).expect("a partial");
    let error = partial.write_at(b"x", 0).expect_err("no room");
    assert!(matches!(error, StoreError::NoRoom { .. }), "{error}");
}

#[tokio::test]
async fn bytes_that_come_again_count_once() {
    let site = Site::of(8 * MIB);
    for _ in 0..5 {
        site.put(1, MIB as usize);
    }
    let usage = site.store.usage().expect("answered");
    assert_eq!((usage.objects, usage.evicted), (1, 0));
    assert!(usage.stored < 2 * MIB, "{usage:?}");
    assert_eq!((usage.unfinished, usage.promised), (0, 0), "{usage:?}");
    assert!(site.store.remove(&kit::digest(1)).await.expect("removed"));
    let usage = site.store.usage().expect("answered");
    assert_eq!((usage.objects, usage.stored), (0, 0));
}

#[test]
fn keeping_is_usual_by_default() {
    let usual = Keeping {
        class: Class::Cached,
        priority: 128,
    };
    assert_eq!(Keeping::default(), usual);
}
