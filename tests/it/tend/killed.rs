//! `kill -9` in the middle of an import and of a purge: nothing is wrong afterwards, and what is served is right.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ledge_tests::config::Config;
use ledge_tests::ledge;
use ledge_tests::origin::Origin;
use ledge_tests::valkey::{PASSWORD, Valkey};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::process::Command;
use tokio::time::sleep;

use super::{Site, said};

/// When it is killed.
const SEED: u64 = 20_261_121;

/// An import or a purge of the tests' image takes about that long.
const MOST: Duration = Duration::from_millis(60);

/// Starts a command at a store, and kills it after a while, or the mirror that does it.
async fn interrupted(site: &mut Site, arguments: &[&str], random: &mut StdRng) -> Result<()> {
    let is_alone = random.random_ratio(1, 2);
    if is_alone {
        site.end().await?;
    }
    let mut command = Command::new(ledge::binary()?)
        .env("LEDGE_STORE_MIN_FREE", "0")
        .args(arguments)
        .arg("--store")
        .arg(site.ledge.store())
        .arg("--config")
        .arg(site.ledge.config())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("starting ledge")?;
    sleep(MOST.mul_f64(random.random())).await;
    if is_alone {
        command.start_kill()?;
    } else {
        site.ledge.kill();
    }
    command.wait().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_after_a_kill() -> Result<()> {
    kills(Site::pulled(3600).await?, SEED).await
}

/// The records outlive the process then, and may know of what it took away, or had not yet brought.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_after_a_kill_beside_shared_records() -> Result<()> {
    let (origin, valkey) = (Origin::start().await?, Valkey::start().await?);
    let config = Config::docker(origin.address())
        .setting("shared.records", &format!("url = \"{}\"", valkey.url()))
        .head(&format!("password = \"{PASSWORD}\""));
    kills(Site::with(3601, origin, &config).await?, SEED + 1).await
}

async fn kills(mut site: Site, seed: u64) -> Result<()> {
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir()?;
    let layout = folder.path().join("layout.tar").display().to_string();
    said(&site.run(&["export", "--all", "--to", &layout]).await?, 0)?;
    for round in 0..8 {
        let purge = ["purge", "--upstream", "docker.io", "--yes"];
        if random.random_ratio(1, 2) {
            interrupted(&mut site, &purge, &mut random).await?;
        } else {
            said(&site.run(&purge).await?, 0)?;
            interrupted(&mut site, &["import", &layout], &mut random).await?;
        }
        let found = site.run(&["fsck", "--rate", "0"]).await?;
        said(&found, 0).with_context(|| {
            format!("round {round}: {}", String::from_utf8_lossy(&found.stdout))
        })?;
        site.ledge = site.ledge.restart().await?;
        site.pull()
            .await
            .with_context(|| format!("round {round}"))?;
    }
    Ok(())
}
