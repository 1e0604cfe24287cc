//! `kill -9` at random moments of a stream of pulls through a store that is too small for it.
//!
//! Each moment lies somewhere in fills, evictions and writes of records, and the next process goes on
//! with what the one before left.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ledge_store::{BlobStore, Bounds, StoreOptions, Usage, open_redb};
use ledge_tests::config::Config;
use ledge_tests::disk::{self, Watch};
use ledge_tests::files;
use ledge_tests::http;
use ledge_tests::images::{self, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::valkey::{PASSWORD, Valkey};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::crash::{kept_whole, nothing_half};
use crate::site::{REPOSITORY, blob, is, manifest, noise};

const MIB: u64 = 1 << 20;

/// What the store may take, the least that can be configured, and what is promised: a hundredth more, for
/// records that come between two looks.
const BOUND: u64 = 64 * MIB;
const PROMISED: u64 = BOUND + BOUND / 100;

/// Which objects, which pulls, and when it is killed. Another seed tries others.
const SEED: u64 = 20_261_101;

/// Objects in all sizes: twice what the store takes, most of it in the large ones, and enough small ones that
/// kills meet commits.
const LARGE: u64 = 44;
const SMALL: u64 = 150;
const IMAGES: u64 = 12;

/// Who pulls at once.
const CLIENTS: u64 = 6;

/// How often the disk is looked at.
const SAMPLE: Duration = Duration::from_millis(20);

/// Far above what a walk through so few objects takes, and an end that writes everything down.
const SOON: Duration = Duration::from_secs(60);

/// What can be asked for, and must come.
struct Item {
    path: String,
    object: Object,
}

/// What the clients of one process share.
struct Stream {
    address: SocketAddr,
    items: Arc<Vec<Item>>,
    /// Bytes that came, and of how many on it is killed.
    came: AtomicU64,
    until: u64,
    reached: Notify,
    over: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_in_a_stream_of_pulls_leave_nothing_wrong() -> Result<()> {
    let (origin, items) = site().await?;
    stream(&config(&origin), items, 12, SEED).await
}

/// The records are elsewhere then, and know of objects that a kill took.
#[tokio::test(flavor = "multi_thread")]
async fn kills_leave_nothing_wrong_beside_shared_records() -> Result<()> {
    let (origin, items) = site().await?;
    let valkey = Valkey::start().await?;
    let config = config(&origin)
        .setting("shared.records", &format!("url = \"{}\"", valkey.url()))
        .head(&format!("password = \"{PASSWORD}\""));
    stream(&config, items, 6, SEED + 1).await
}

async fn site() -> Result<(Origin, Arc<Vec<Item>>)> {
    let origin = Origin::start().await?;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut items = Vec::new();
    for number in 0..LARGE + SMALL {
        let most = if number < LARGE { 6 * MIB } else { MIB / 16 };
        let object = noise(SEED + number, random.random_range(1..most as usize));
        origin.put_blob(REPOSITORY, &object);
        let path = blob(&object.digest);
        items.push(Item { path, object });
    }
    for number in 0..IMAGES {
        let (image, tag) = (images::small(SEED + number)?, format!("v{number}"));
        origin.put(REPOSITORY, &tag, &image);
        for reference in [&tag, &image.root().digest] {
            let path = manifest(reference);
            let object = image.root().clone();
            items.push(Item { path, object });
        }
    }
    Ok((origin, Arc::new(items)))
}

fn config(origin: &Origin) -> Config {
    let config = Config::docker(origin.address());
    config.setting("store", &format!("max_size = \"{}MiB\"", BOUND / MIB))
}

async fn stream(config: &Config, items: Arc<Vec<Item>>, kills: u64, seed: u64) -> Result<()> {
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut ledge = Ledge::start(config).await?;
    let watch = Watch::start(ledge.store(), SAMPLE);
    for kill in 0..kills {
        let until = random.random_range(1..2 * BOUND);
        println!("kill {kill}: after {until} bytes");
        ledge = killed(ledge, &items, until, random.random())
            .await
            .with_context(|| format!("seed {seed}, kill {kill} after {until} bytes"))?;
    }
    for item in items.iter() {
        pull(ledge.address(), item).await?;
    }
    let most = watch.end()?;
    println!("at most {most} bytes of {BOUND}");
    ensure!(most <= PROMISED, "{most} bytes of {BOUND}");
    ensure!(most > BOUND / 2, "only {most} bytes: nothing was evicted");
    ledge.terminate();
    ensure!(ledge.ended(SOON).await?.success());
    kept_whole(&ledge.store())?;
    index_is_right(&ledge.store()).await
}

/// Pulls until so many bytes came, kills Ledge, looks at what is left, and starts it again.
async fn killed(mut ledge: Ledge, items: &Arc<Vec<Item>>, until: u64, seed: u64) -> Result<Ledge> {
    let stream = Arc::new(Stream {
        address: ledge.address(),
        items: items.clone(),
        came: AtomicU64::new(0),
        until,
        reached: Notify::new(),
        over: AtomicBool::new(false),
    });
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(pulls(stream.clone(), seed ^ client));
    }
    tokio::select! {
        () = stream.reached.notified() => {}
        Some(failed) = clients.join_next() => failed??,
    }
    stream.over.store(true, Ordering::SeqCst);
    ledge.kill();
    while let Some(client) = clients.join_next().await {
        client??;
    }
    nothing_half(&ledge.store())?;
    records_can_be_read(&ledge.store())?;
    ledge.restart().await
}

/// Pulls one after the other, until it is over: then a pull may fail, and what came is right still.
async fn pulls(stream: Arc<Stream>, seed: u64) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    while !stream.over.load(Ordering::SeqCst) {
        let item = &stream.items[random.random_range(0..stream.items.len())];
        match pull(stream.address, item).await {
            Err(_) if stream.over.load(Ordering::SeqCst) => {}
            pulled => pulled?,
        }
        let size = item.object.bytes.len() as u64;
        if stream.came.fetch_add(size, Ordering::SeqCst) + size >= stream.until {
            stream.reached.notify_one();
        }
    }
    Ok(())
}

async fn pull(address: SocketAddr, item: &Item) -> Result<()> {
    let answer = http::get(address, &item.path).fetch().await?;
    is(&answer, &item.object).with_context(|| item.path.clone())
}

/// What a killed process left of its records opens, and every one of them is whole.
fn records_can_be_read(store: &Path) -> Result<()> {
    // Elsewhere, so that the next process finds what the kill left.
    let copy = tempfile::tempdir()?;
    let path = copy.path().join("kv.redb");
    fs::copy(store.join("kv.redb"), &path)?;
    let file = open_redb(&path)?;
    for label in ["default", "catalog"] {
        let records = file.label(label);
        for key in records.keys()? {
            let value = records.get(&key)?.context("a key without a value")?;
            let text = std::str::from_utf8(&value).with_context(|| key.clone())?;
            ensure!(
                text.as_bytes()[1].is_ascii_digit(),
                "{key} is {text:?}, which begins with no version"
            );
        }
    }
    Ok(())
}

/// The index knows every object that is there, and what it takes, and no other.
async fn index_is_right(store: &Path) -> Result<()> {
    let stored = files::under(&store.join("blobs"));
    let names: BTreeSet<_> = stored.iter().map(|path| path.file_name()).collect();
    ensure!(names.len() == stored.len(), "a digest is there twice");
    let mut taken = 0;
    for path in &stored {
        taken += disk::usage(path)?;
    }
    let options = StoreOptions {
        path: store.to_owned(),
        memory: 0,
        leftovers: Duration::MAX,
        bounds: Bounds::NONE,
    };
    let usage = tokio::task::spawn_blocking(move || known(&options)).await??;
    ensure!(
        (usage.objects, usage.stored) == (stored.len() as u64, taken),
        "{usage:?}, and {} objects take {taken} bytes",
        stored.len()
    );
    Ok(())
}

/// What the index says. The last process ended well: nothing has to be looked for.
fn known(options: &StoreOptions) -> Result<Usage> {
    let usage = BlobStore::open(options)?.usage()?;
    ensure!(usage.complete, "{usage:?}");
    Ok(usage)
}
