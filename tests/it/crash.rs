//! `kill -9` in the middle of a cold pull.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use ledge_tests::config::Config;
use ledge_tests::files;
use ledge_tests::gate::Gate;
use ledge_tests::http::Method;
use ledge_tests::images::{self, Image, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::site::{REPOSITORY, blob, is, manifest};

/// Which twenty offsets are tried. Another seed tries twenty others.
const SEED: u64 = 20_260_101;

/// How far apart the hashes are at most that are noted while a blob comes (a MiB, and up to the end
/// of a queue of sixteen frames of 64 KiB), and what was sent but not hashed yet (such a queue).
const CHECKPOINTS: usize = 3 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_offset_leaves_nothing_half_there() -> Result<()> {
    let origin = Origin::start().await?;
    let image = images::layered(500, &[24_000_000, 500_000])?;
    origin.put(REPOSITORY, "v1", &image);
    let mut random = StdRng::seed_from_u64(SEED);
    let victim = &image.blobs[0];
    for number in 0..20 {
        let offset = random.random_range(1..victim.bytes.len());
        println!(
            "kill {number} of seed {SEED}: {} of {} bytes",
            offset,
            victim.bytes.len()
        );
        kill_at(&origin, &image, offset)
            .await
            .with_context(|| format!("seed {SEED}, offset {offset}"))?;
    }
    Ok(())
}

/// One cold pull with a kill when `offset` bytes of the first layer are in.
async fn kill_at(origin: &Origin, image: &Image, offset: usize) -> Result<()> {
    let (victim, whole) = (&image.blobs[0], &image.blobs[1]);
    let mut ledge = Ledge::start(&Config::docker(origin.address())).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    is(&ledge.get(&blob(&whole.digest)).fetch().await?, whole)?;
    let gate = Gate::held();
    origin.rule(Rule::new(&victim.digest, Act::Stall(offset, gate.clone())).method(Method::GET));
    let mut pull = ledge.get(&blob(&victim.digest)).send().await?;
    // All that the origin has sent has gone through the file to the client.
    let bytes = pull.at_least(offset).await?;
    ensure!(
        bytes == victim.bytes.slice(..offset),
        "the client got other bytes"
    );
    ledge.kill();
    gate.cut();
    origin.behave();
    is_partial(&ledge.store(), victim, offset)?;

    let ledge = ledge.restart().await?;
    nothing_half(&ledge.store())?;
    origin.forget();
    for object in &image.blobs {
        is(&ledge.get(&blob(&object.digest)).fetch().await?, object)?;
    }
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    ensure_taken_up(origin, victim, offset)?;
    kept_whole(&ledge.store())
}

/// What was there is not fetched again, but for less than the distance of two checkpoints.
fn ensure_taken_up(origin: &Origin, victim: &Object, offset: usize) -> Result<()> {
    let seen = origin.seen();
    let asked: Vec<&str> = seen
        .iter()
        .filter(|seen| seen.path.ends_with(&victim.digest))
        .map(|seen| seen.header("range"))
        .collect();
    let [range] = asked.as_slice() else {
        anyhow::bail!("not one request: {asked:?}")
    };
    let from = range.strip_prefix("bytes=").map_or(Some(0), |range| {
        range.split('-').next().and_then(|from| from.parse().ok())
    });
    let from: usize = from.context("a range")?;
    ensure!(
        (offset.saturating_sub(CHECKPOINTS)..=offset).contains(&from),
        "asked from {from} on, {offset} were there"
    );
    Ok(())
}

/// The interrupted transfer is on disk, in part, and nowhere else. Another one
/// may be there too: a client has its last byte before the store has synced.
fn is_partial(store: &Path, victim: &Object, offset: usize) -> Result<()> {
    let hex = victim.digest.trim_start_matches("sha256:");
    let mut partial = files::under(&store.join("partial"));
    partial.retain(|path| name(path) == format!("sha256-{hex}"));
    let [file] = partial.as_slice() else {
        anyhow::bail!("not one partial file: {partial:?}")
    };
    let content = fs::read(file)?;
    ensure!(
        content == victim.bytes.slice(..offset),
        "{} has {} bytes, not {offset}",
        file.display(),
        content.len()
    );
    let stored = files::under(&store.join("blobs"));
    ensure!(
        !stored.iter().any(|path| name(path) == hex),
        "the interrupted blob is stored"
    );
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Every stored blob hashes to its name. How many there are: a kill may come before the first of them,
/// since a client has its last byte before the store has synced.
pub(crate) fn nothing_half(store: &Path) -> Result<usize> {
    let stored = files::under(&store.join("blobs"));
    for path in &stored {
        ensure!(
            files::digest(path)? == format!("sha256:{}", name(path)),
            "{} is not what it says",
            path.display()
        );
    }
    Ok(stored.len())
}

/// The same, of a store that something is in.
pub(crate) fn kept_whole(store: &Path) -> Result<()> {
    let stored = nothing_half(store)?;
    ensure!(stored > 0, "nothing is stored in {}", store.display());
    Ok(())
}
