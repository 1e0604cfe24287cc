//! A store with a bound under pulls of ten times its size: what it takes of the disk, and what clients see of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ledge_tests::config::Config;
use ledge_tests::disk::Watch;
use ledge_tests::images::{self, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use crate::site::{REPOSITORY, blob, is, manifest, noise};

const MIB: u64 = 1 << 20;

/// What the store may take, the least that can be configured.
const BOUND: u64 = 64 * MIB;

/// What is promised: the bound, and a hundredth for records that come between two looks.
const PROMISED: u64 = BOUND + BOUND / 100;

/// Which pulls, and in which order.
const SEED: u64 = 20_260_501;

/// Several times what the store takes.
const OBJECTS: u64 = 70;

/// How often the disk is looked at.
const SAMPLE: Duration = Duration::from_millis(20);

/// An origin with [`OBJECTS`] of up to 8 MiB, and Ledge with a small store.
struct Site {
    origin: Origin,
    ledge: Ledge,
    objects: Vec<Object>,
}

impl Site {
    async fn start() -> Result<Self> {
        let origin = Origin::start().await?;
        let mut random = StdRng::seed_from_u64(SEED);
        let sized = |number| noise(SEED + number, random.random_range(1..8 * MIB as usize));
        let objects: Vec<Object> = (0..OBJECTS).map(sized).collect();
        for object in &objects {
            origin.put_blob(REPOSITORY, object);
        }
        let config = Config::docker(origin.address());
        let config = config.setting("store", &format!("max_size = \"{}MiB\"", BOUND / MIB));
        Ok(Self {
            ledge: Ledge::start(&config).await?,
            origin,
            objects,
        })
    }

    async fn pull(&self, number: usize) -> Result<()> {
        let object = &self.objects[number];
        is(
            &self.ledge.get(&blob(&object.digest)).fetch().await?,
            object,
        )
    }
}

/// PEERS 7: the disk does not fill.
#[tokio::test(flavor = "multi_thread")]
async fn ten_times_its_size_passes_through_a_bounded_store() -> Result<()> {
    println!("seed {SEED}");
    let site = Arc::new(Site::start().await?);
    let watch = Watch::start(site.ledge.store(), SAMPLE);
    let pulled = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for client in 0..6 {
        let (site, pulled) = (site.clone(), pulled.clone());
        clients.spawn(async move {
            let mut random = StdRng::seed_from_u64(SEED + client);
            while pulled.load(Ordering::Relaxed) < 10 * BOUND {
                let number = random.random_range(0..OBJECTS as usize);
                let object = &site.objects[number];
                let size = object.bytes.len();
                if random.random_ratio(1, 10) {
                    // Who leaves in the middle leaves something to the next one.
                    let pull = site.ledge.get(&blob(&object.digest)).send().await?;
                    drop(pull);
                } else if random.random_ratio(1, 5) {
                    let from = random.random_range(0..size);
                    let request = site.ledge.get(&blob(&object.digest));
                    let answer = request.header("range", &format!("bytes={from}-"));
                    let answer = answer.fetch().await?;
                    ensure!(answer.body == object.bytes.slice(from..), "other bytes");
                } else {
                    site.pull(number).await?;
                    pulled.fetch_add(size as u64, Ordering::Relaxed);
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    let most = watch.end()?;
    println!("at most {most} bytes of {BOUND}");
    ensure!(most <= PROMISED, "{most} bytes of {BOUND}");
    ensure!(most >= BOUND * 9 / 10, "only {most} bytes of {BOUND}");
    Ok(())
}

/// PEERS 6: what a client is being sent is not cut, whatever is evicted meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_sent_is_never_cut() -> Result<()> {
    let site = Site::start().await?;
    let mut slow = Vec::new();
    for object in &site.objects[..4] {
        site.ledge.get(&blob(&object.digest)).fetch().await?;
        let mut pull = site.ledge.get(&blob(&object.digest)).send().await?;
        let length = object.bytes.len().min(100_000);
        let start = pull.at_least(length).await?.len();
        slow.push((object, start, pull));
    }
    for number in 4..OBJECTS as usize {
        site.pull(number).await?;
    }
    for (object, start, pull) in slow {
        ensure!(pull.rest().await?.body == object.bytes.slice(start..));
        is(
            &site.ledge.get(&blob(&object.digest)).fetch().await?,
            object,
        )?;
    }
    Ok(())
}

/// PEERS 6: a manifest whose blobs went is still a whole image: they are fetched again.
#[tokio::test(flavor = "multi_thread")]
async fn blobs_that_went_are_fetched_again_for_their_manifest() -> Result<()> {
    let site = Site::start().await?;
    let image = images::layered(1600, &[6_000_000, 500_000])?;
    site.origin.put(REPOSITORY, "v1", &image);
    let pull = async || -> Result<()> {
        let answer = site.ledge.get(&manifest("v1")).fetch().await?;
        is(&answer, image.root())?;
        for object in &image.blobs {
            is(
                &site.ledge.get(&blob(&object.digest)).fetch().await?,
                object,
            )?;
        }
        Ok(())
    };
    pull().await?;
    for number in 0..OBJECTS as usize {
        site.pull(number).await?;
    }
    let hex = image.blobs[0].digest.trim_start_matches("sha256:");
    let shard = site.ledge.store().join("blobs/sha256").join(&hex[..2]);
    ensure!(
        !shard.join(hex).exists(),
        "three times the store's size came since"
    );
    pull().await
}

/// A kill in the middle of fills and evictions leaves a store that is bounded and right.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_it_evicts_leaves_nothing_wrong() -> Result<()> {
    println!("seed {SEED}");
    let mut random = StdRng::seed_from_u64(SEED);
    let mut site = Site::start().await?;
    for round in 0..6 {
        let watch = Watch::start(site.ledge.store(), SAMPLE);
        let pulls = (0..30).map(|_| random.random_range(0..OBJECTS as usize));
        for number in pulls.collect::<Vec<_>>() {
            site.pull(number)
                .await
                .with_context(|| format!("round {round}"))?;
        }
        // In the middle of one that makes room.
        let victim = &site.objects[random.random_range(0..OBJECTS as usize)];
        let mut pull = site.ledge.get(&blob(&victim.digest)).send().await?;
        pull.at_least(random.random_range(1..victim.bytes.len()))
            .await?;
        site.ledge.kill();
        let most = watch.end()?;
        ensure!(most <= PROMISED, "round {round}: {most} bytes of {BOUND}");
        site = Site {
            ledge: site.ledge.restart().await?,
            ..site
        };
    }
    for number in 0..OBJECTS as usize {
        site.pull(number).await?;
    }
    Ok(())
}
