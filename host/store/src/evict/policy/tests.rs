//! The order of eviction, and what it is worth: hit rates of seeded traces beside LRU and moka's
//! TinyLFU, which know every key.

use std::collections::{BTreeMap, HashMap};

use moka::sync::Cache;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::entry::{Class, Keeping};
use super::*;
use crate::minutes::Minutes;

fn entry(at: u32, uses: u32) -> Entry {
    let mut standing = Standing::new(Turns(at));
    // As far apart as counts, and the last one at `at`.
    standing.at = Turns(at - (uses - 1) * BURST);
    for _ in 1..uses {
        standing = standing.used(Turns(standing.at.0 + BURST));
    }
    Entry {
        disk: 1,
        used: Minutes(0),
        standing,
        keeping: Keeping::default(),
    }
}

fn goes_before(first: &Entry, second: &Entry) -> bool {
    first_to_go([first, second].into_iter()) == Some(0)
        && first_to_go([second, first].into_iter()) == Some(1)
}

#[test]
fn what_counts_less_goes_first() {
    let (once, often) = (entry(10 * TURN, 1), entry(10 * TURN, 8));
    assert!(goes_before(&once, &often));
    assert!(goes_before(&entry(9 * TURN, 1), &once));
    // A use counts half after three turns: eight uses are one after nine.
    assert!(goes_before(&once, &entry(2 * TURN, 8)));
    assert!(goes_before(&entry(TURN / 2, 8), &once));
    let earlier = Entry {
        used: Minutes(4),
        ..once
    };
    let later = Entry {
        used: Minutes(5),
        ..once
    };
    assert!(goes_before(&earlier, &later));
}

#[test]
fn priority_is_worth_some_turns_and_a_class_all_of_them() {
    let blob = entry(10 * TURN, 1);
    let keep = |at, class, priority| Entry {
        keeping: Keeping { class, priority },
        ..entry(at, 1)
    };
    let manifest = |at| keep(at, Class::Cached, 192);
    assert!(goes_before(&blob, &manifest(10 * TURN)));
    assert!(goes_before(&blob, &manifest(9 * TURN + 1)));
    assert!(goes_before(&manifest(9 * TURN - 1), &blob));
    for class in [Class::Hosted, Class::Pinned] {
        assert!(goes_before(&blob, &keep(0, class, 0)));
        let fixed = [keep(0, class, 0), keep(0, class, 255)];
        assert_eq!(first_to_go(fixed.iter()), None);
    }
    assert_eq!(first_to_go([].iter()), None);
}

#[test]
fn uses_of_one_moment_are_one_and_counts_are_bounded() {
    let mut standing = Standing::new(Turns(5));
    for _ in 0..1000 {
        standing = standing.used(Turns(5 + BURST - 1));
    }
    assert_eq!(standing, Standing::new(Turns(5)));
    // A clock that was set back.
    assert_eq!(standing.used(Turns(0)), standing);
    let mut at = 5;
    for _ in 0..100_000 {
        at += BURST;
        standing = standing.used(Turns(at));
    }
    assert!(standing.count < u8::MAX, "{standing:?}");
    let soon = standing.rank() - i64::from(at);
    assert!(soon < 8 * i64::from(HALF_LIFE), "{soon}");
    assert_eq!(standing.used(Turns(u32::MAX)).count, 0);
}

/// A cache of so many objects of one size.
trait Simulated {
    /// Whether it was there; it is from now on.
    fn ask(&mut self, id: u32) -> bool;
}

struct Sampled {
    room: usize,
    came: u64,
    entries: Vec<(u32, Entry)>,
    places: HashMap<u32, usize>,
    random: StdRng,
}

impl Sampled {
    fn new(room: usize, seed: u64) -> Self {
        Self {
            room,
            came: 0,
            entries: Vec::new(),
            places: HashMap::new(),
            random: StdRng::seed_from_u64(seed),
        }
    }

    fn evict(&mut self) {
        let picked: Vec<usize> = (0..SAMPLE)
            .map(|_| self.random.random_range(0..self.entries.len()))
            .collect();
        let sample = picked.iter().map(|place| &self.entries[*place].1);
        let worst = picked[first_to_go(sample).expect("all may go")];
        let (gone, _) = self.entries.swap_remove(worst);
        self.places.remove(&gone);
        if let Some((moved, _)) = self.entries.get(worst) {
            self.places.insert(*moved, worst);
        }
    }
}

impl Simulated for Sampled {
    fn ask(&mut self, id: u32) -> bool {
        let now = Turns((self.came * u64::from(TURN) / self.room as u64) as u32);
        if let Some(place) = self.places.get(&id) {
            let standing = &mut self.entries[*place].1.standing;
            *standing = standing.used(now);
            return true;
        }
        if self.entries.len() >= self.room {
            self.evict();
        }
        self.places.insert(id, self.entries.len());
        let standing = Standing::new(now);
        self.entries.push((
            id,
            Entry {
                standing,
                ..entry(0, 1)
            },
        ));
        self.came += 1;
        false
    }
}

#[derive(Default)]
struct Lru {
    room: usize,
    time: u64,
    used: HashMap<u32, u64>,
    order: BTreeMap<u64, u32>,
}

impl Simulated for Lru {
    fn ask(&mut self, id: u32) -> bool {
        self.time += 1;
        let before = self.used.insert(id, self.time);
        self.order.insert(self.time, id);
        before.and_then(|time| self.order.remove(&time));
        if self.used.len() > self.room {
            let (_, gone) = self.order.pop_first().expect("not empty");
            self.used.remove(&gone);
        }
        before.is_some()
    }
}

struct TinyLfu(Cache<u32, ()>);

impl Simulated for TinyLfu {
    fn ask(&mut self, id: u32) -> bool {
        let hit = self.0.get(&id).is_some();
        if !hit {
            self.0.insert(id, ());
        }
        self.0.run_pending_tasks();
        hit
    }
}

/// How many of a hundred requests hit, of the last three quarters.
fn rate(cache: &mut dyn Simulated, trace: &[u32]) -> f64 {
    let warm = trace.len() / 4;
    trace[..warm].iter().for_each(|id| {
        cache.ask(*id);
    });
    let hits = trace[warm..].iter().filter(|id| cache.ask(**id)).count();
    100.0 * hits as f64 / (trace.len() - warm) as f64
}

/// Requests for 20,000 objects by Zipf's law with an exponent of 0.9, as measured of registries'
/// layers, between them scans of objects that nobody asks for again.
fn trace(seed: u64, requests: usize, is_scan: impl Fn(usize) -> bool) -> Vec<u32> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut sum = 0.0;
    let weights: Vec<f64> = (1..=20_000)
        .map(|rank| {
            sum += f64::from(rank).powf(-0.9);
            sum
        })
        .collect();
    let (mut trace, mut new) = (Vec::with_capacity(requests), 1_000_000);
    for number in 0..requests {
        if is_scan(number) {
            new += 1;
            trace.push(new);
        } else {
            let point = random.random_range(0.0..sum);
            trace.push(weights.partition_point(|weight| *weight < point) as u32);
        }
    }
    trace
}

#[test]
fn it_outlives_a_scan_better_than_lru_and_is_near_tiny_lfu() {
    const SEED: u64 = 7;
    type Scans = fn(usize) -> bool;
    let shapes: [(&str, Scans, f64); 3] = [
        ("no scan", |_| false, 3.0),
        ("a scan of 5,000 every 20,000", |n| n / 5_000 % 4 == 3, 2.5),
        ("every third of a scan", |n| n % 3 == 0, 4.0),
    ];
    for (name, is_scan, better) in shapes {
        let trace = trace(SEED, 120_000, is_scan);
        let room = 500;
        let ours = rate(&mut Sampled::new(room, SEED), &trace);
        let lru = rate(
            &mut Lru {
                room,
                ..Lru::default()
            },
            &trace,
        );
        let tiny_lfu = rate(&mut TinyLfu(Cache::new(room as u64)), &trace);
        let said =
            format!("seed {SEED}, {name}: {ours:.1} of 100, LRU {lru:.1}, TinyLFU {tiny_lfu:.1}");
        println!("{said}");
        assert!(ours > lru + better, "{said}");
        assert!(ours > tiny_lfu - 5.0, "{said}");
    }
}
