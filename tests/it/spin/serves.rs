//! The deployable component serves, within little memory, and with few of the platform's things.

use anyhow::{Context, Result};
use ledge_tests::config::Config;
use ledge_tests::http::Method;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;

use crate::site::{REPOSITORY, blob, is, manifest, noise};

/// The most linear memory of an instance, in bytes, whatever passes through it.
const MEMORY: usize = 32 << 20;

/// Larger than any memory that would hold it whole.
const LARGE: usize = 96 << 20;

#[tokio::test]
async fn an_image_is_pulled_and_pulled_again_without_the_origin() -> Result<()> {
    let image = images::layered(1900, &[300_000, 20])?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let ledge = Ledge::start_spin(&Config::docker(origin.address())).await?;
    for round in 0..2 {
        is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
        for object in &image.blobs {
            is(&ledge.get(&blob(&object.digest)).fetch().await?, object)
                .with_context(|| format!("round {round}"))?;
        }
        if round == 0 {
            origin.forget();
        }
    }
    let asked: Vec<_> = origin.seen().into_iter().map(|seen| seen.path).collect();
    assert!(asked.is_empty(), "{asked:?}");
    Ok(())
}

#[tokio::test]
async fn a_large_layer_passes_through_little_memory() -> Result<()> {
    let object = noise(1901, LARGE);
    let origin = Origin::start().await?;
    origin.put_blob(REPOSITORY, &object);
    let ledge = Ledge::start_spin(&Config::docker(origin.address())).await?;
    for _ in 0..2 {
        is(&ledge.get(&blob(&object.digest)).fetch().await?, &object)?;
    }
    assert_eq!(origin.count(&Method::GET, &object.digest), 1);
    let log = ledge.log().await?;
    let peaks = log.iter().filter_map(|line| peak(line));
    let peak = peaks.max().context("the host tells its peaks")?;
    println!("{LARGE} bytes passed through at most {peak} bytes of memory");
    assert!(peak < MEMORY, "{peak} bytes");
    Ok(())
}

/// The number in `memory: at most N bytes in an instance, …`.
fn peak(line: &str) -> Option<usize> {
    let (number, _) = line.strip_prefix("memory: at most ")?.split_once(' ')?;
    number.parse().ok()
}

/// Spin's own paths, and those of nobody.
#[tokio::test]
async fn what_is_not_the_registrys_is_not_answered_by_it() -> Result<()> {
    let origin = Origin::start().await?;
    let ledge = Ledge::start_spin(&Config::docker(origin.address())).await?;
    for (path, status) in [
        ("/.well-known/spin/health", 200),
        ("/v2/", 200),
        ("/", 404),
        ("/_ledge/objects/x", 404),
        ("/metrics", 404),
    ] {
        assert_eq!(ledge.get(path).fetch().await?.status, status, "{path}");
    }
    Ok(())
}
