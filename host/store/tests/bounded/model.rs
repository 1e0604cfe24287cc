//! Anything in any order, beside a model that knows what must never be lost and what must be right.

use std::collections::{BTreeMap, BTreeSet};

use ledge_store::{Class, StoreError};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::kit::{KIB, MIB, Site, digest, du, keep};

const BOUND: u64 = 8 * MIB;

/// So many numbers are in use, of objects of up to [`LARGEST`]: several times what fits.
const NUMBERS: u64 = 80;
const LARGEST: u64 = 600 * KIB;

/// How many are pinned at a time, so that others have room.
const PINNED: usize = 3;

#[derive(Default)]
struct Model {
    /// The size of each object that was ever committed.
    sizes: BTreeMap<u64, usize>,
    pinned: BTreeSet<u64>,
}

#[tokio::test]
async fn whatever_happens_it_is_bounded_and_what_is_there_is_right() {
    for seed in 0..3 {
        println!("seed {seed}");
        life(seed).await;
    }
}

async fn life(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut site, mut model) = (Site::of(BOUND), Model::default());
    for step in 0..200 {
        let number = random.random_range(0..NUMBERS);
        let said = format!("seed {seed}, step {step}, object {number}");
        match random.random_range(0..100) {
            0..50 => put(&site, &mut model, number, &mut random, &said),
            50..80 => read(&site, &model, number, &said).await,
            80..88 => leave(&site, number, &mut random),
            88..94 => remove(&site, &mut model, number).await,
            94..97 => site = site.restarted_after(|_| ()),
            _ => site = site.killed(),
        }
        let du = du(site.path());
        assert!(du <= BOUND, "{said}: {du} bytes");
    }
    site.wait_for_the_walk();
    for number in 0..NUMBERS {
        read(&site, &model, number, &format!("seed {seed}, the end")).await;
    }
}

/// A size is a number's own: content is addressed by what it is.
fn put(site: &Site, model: &mut Model, number: u64, random: &mut StdRng, said: &str) {
    let fresh = random.random_range(0..LARGEST) as usize;
    let size = *model.sizes.entry(number).or_insert(fresh);
    let pin = model.pinned.len() < PINNED && random.random_ratio(1, 30);
    let class = if pin { Class::Pinned } else { Class::Cached };
    if pin {
        model.pinned.insert(number);
    }
    site.put_as(number, size, keep(class));
    let usage = site.store.usage().expect("answered");
    assert_eq!((usage.promised, usage.held), (0, 0), "{said}");
}

async fn read(site: &Site, model: &Model, number: u64, said: &str) {
    let size = model.sizes.get(&number).copied();
    let is_there = match size {
        Some(size) => site.is_there(number, size).await,
        None => site.find(number).await.is_some(),
    };
    assert!(size.is_some() || !is_there, "{said}: from nowhere");
    let must_be = model.pinned.contains(&number);
    assert!(is_there || !must_be, "{said}: it was pinned");
}

fn leave(site: &Site, number: u64, random: &mut StdRng) {
    let mut partial = site.store.begin(&digest(number)).expect("a partial");
    let size = random.random_range(1..LARGEST);
    match partial.write_at(&vec![1; size as usize], 0) {
        Ok(()) => {}
        Err(StoreError::NoRoom { .. }) => return,
        Err(error) => panic!("{error}"),
    }
    partial.mark(size, digest(0).hex()).expect("marked");
    if random.random() {
        partial.keep();
    }
}

async fn remove(site: &Site, model: &mut Model, number: u64) {
    site.store.remove(&digest(number)).await.expect("answered");
    model.pinned.remove(&number);
}
