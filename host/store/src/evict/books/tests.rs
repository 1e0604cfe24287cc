//! The sums, beside numbers that a reader can add up.

use std::time::Duration;

use super::super::entry::{Class, Keeping};
use super::super::policy::Standing;
use super::*;
use crate::minutes::Minutes;

fn books(max_size: Option<u64>, min_free: u64) -> Books {
    Books::new(Limits { max_size, min_free }, Totals::default(), 0)
}

fn measured(free: u64) -> Measured {
    Measured {
        free,
        files: 10,
        held: 5,
        growth: 0,
    }
}

fn entry(disk: u64, class: Class) -> Entry {
    Entry {
        disk,
        used: Minutes(0),
        standing: Standing::new(Turns(0)),
        keeping: Keeping { class, priority: 0 },
    }
}

fn digest(byte: u8) -> Digest {
    Digest::from_sha256(&[byte; 32])
}

#[test]
fn what_is_promised_is_not_free() {
    let mut books = books(None, 20);
    books.promise(60, &measured(100)).expect("room");
    assert_eq!(books.promise(30, &measured(100)), Err(10));
    books.promise(20, &measured(100)).expect("room");
    books.release(40);
    assert_eq!(books.lack(0, &measured(100)), 0);
    assert_eq!(books.lack(u64::MAX, &measured(0)), u64::MAX);
}

#[test]
fn everything_counts_to_the_size() {
    let mut books = books(Some(1000), 0);
    books.enter(&digest(1), &entry(500, Class::Cached), None);
    books.enter(&digest(2), &entry(100, Class::Pinned), None);
    books.incoming(0, 85);
    let left = Left {
        disk: 100,
        since: SystemTime::UNIX_EPOCH,
    };
    assert_eq!(books.leave_behind(&digest(1), left), None);
    let measured = measured(1 << 40);
    assert_eq!(books.used(&measured), 800);
    books.promise(200, &measured).expect("just fits");
    assert_eq!(books.promise(1, &measured), Err(1));
    assert_eq!(books.evictable(), 600);
    assert_eq!(books.take_up(&digest(1)), 100);
    assert_eq!(books.take_up(&digest(1)), 0);
    books.promise(100, &measured).expect("room again");
    books.enter(
        &digest(1),
        &entry(600, Class::Cached),
        Some(&entry(500, Class::Cached)),
    );
    assert_eq!(books.totals.bytes, 700);
    assert_eq!(books.capacity(), 1000);
}

#[test]
fn leftovers_are_bounded_and_the_oldest_goes() {
    let mut books = books(None, 0);
    let since = SystemTime::UNIX_EPOCH + Duration::from_secs(9_000);
    let mut bytes = [0; 32];
    for number in 0..LEFTOVERS as u32 {
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        let left = Left {
            disk: 1,
            since: since - Duration::from_secs(u64::from(number)),
        };
        assert_eq!(books.leave_behind(&Digest::from_sha256(&bytes), left), None);
    }
    let left = Left { disk: 1, since };
    assert_eq!(
        books.leave_behind(&digest(255), left),
        Some(Digest::from_sha256(&bytes))
    );
}

#[test]
fn what_changes_while_all_is_counted_is_counted_once() {
    let mut books = books(None, 0);
    let cached = |disk| entry(disk, Class::Cached);
    // The sums of an index that a crash left behind.
    books.totals.bytes = 999;
    books.begin_recount();
    let sums = Totals {
        objects: 1,
        bytes: 10,
        fixed: 0,
    };
    books.recounted(0, sums);
    books.enter(&digest(0), &cached(20), Some(&cached(10)));
    books.enter(&digest(0), &cached(5), None);
    books.leave(&digest(0), &cached(5));
    // Counted when its turn comes.
    books.enter(&digest(1), &cached(7), None);
    let sums = Totals {
        objects: 1,
        bytes: 7,
        fixed: 0,
    };
    books.recounted(1, sums);
    books.end_recount();
    let all = Totals {
        objects: 2,
        bytes: 27,
        fixed: 0,
    };
    assert_eq!(books.totals, all);
}

#[test]
fn a_turn_is_as_much_as_the_store_takes() {
    let mut books = books(Some(1 << 20), 0);
    books.promise(0, &measured(u64::MAX)).expect("room");
    for _ in 0..256 {
        books.enter(&digest(1), &entry(4096, Class::Cached), None);
    }
    assert_eq!(books.now(), Turns(1024));
    // Nobody asked how much it could take: an object is a turn at most.
    let mut books = self::books(None, 0);
    books.enter(&digest(1), &entry(u64::MAX >> 1, Class::Cached), None);
    assert_eq!(books.now(), Turns(1024));
}
