//! What a transfer leaves that was not finished: bytes that the next one need not fetch again.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use ledge_tests::config::Config;
use ledge_tests::files;
use ledge_tests::images::Object;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::process::READY;
use ledge_tests::script::{Act, Rule};

use crate::resume::{BREAK, SIZE, broken, from, rest};
use crate::site::{REPOSITORY, Site, asked, blob, hit, is, noise};

/// How far apart the hashes are that are noted while a blob comes, and a frame that came after one.
const CHECKPOINTS: usize = (1 << 20) + (1 << 18);

#[tokio::test]
async fn what_came_of_a_blob_that_vanished_is_kept() -> Result<()> {
    let object = noise(1056, SIZE);
    let site = Site::of(&object, |config| config).await?;
    for act in [Act::Truncate(BREAK), Act::Status(404, "{}")] {
        site.origin.rule(Rule::new(&object.digest, act).times(1));
    }
    site.blob(&object.digest).await.expect_err("it is cut");
    is(&site.blob(&object.digest).await?, &object)?;
    let asked = asked(&site.origin, &object);
    assert_eq!(asked[1], rest(BREAK, &object));
    assert_eq!(
        (asked.len(), from(&asked[2], &object)),
        (3, Some(BREAK)),
        "{asked:?}"
    );
    Ok(())
}

#[tokio::test]
async fn an_end_in_good_order_leaves_as_much_as_a_kill() -> Result<()> {
    let object = noise(1110, SIZE);
    let origin = Origin::start().await?;
    origin.put_blob(REPOSITORY, &object);
    let ledge = Ledge::start(&Config::docker(origin.address())).await?;
    let (_gate, client) = broken(&origin, &ledge, &object).await?;
    drop(client);
    ledge.line("complete=false").await?;
    ledge.terminate();
    ledge.ended(READY).await?;
    origin.idle().await;
    origin.forget();
    let ledge = ledge.restart().await?;
    is(&ledge.get(&blob(&object.digest)).fetch().await?, &object)?;
    let asked = asked(&origin, &object);
    let from = asked.first().and_then(|range| from(range, &object));
    let from = from.with_context(|| format!("{asked:?}"))?;
    assert!((BREAK - CHECKPOINTS..=BREAK).contains(&from), "{asked:?}");
    assert_eq!(asked.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_file_with_holes_is_not_taken_for_more_than_its_start() -> Result<()> {
    let object = noise(1111, SIZE);
    let origin = Origin::start().await?;
    origin.put_blob(REPOSITORY, &object);
    let config = Config::docker(origin.address()).setting("transfer", "ranges = \"0\"");
    let mut ledge = Ledge::start(&config).await?;
    for range in ["bytes=0-1999999", "bytes=4000000-5999999"] {
        let request = ledge.get(&blob(&object.digest)).header("range", range);
        assert_eq!(request.fetch().await?.body.len(), 2_000_000);
    }
    ledge.kill();
    origin.forget();
    let ledge = ledge.restart().await?;
    is(&ledge.get(&blob(&object.digest)).fetch().await?, &object)?;
    let asked = asked(&origin, &object);
    let from = asked.first().and_then(|range| from(range, &object));
    assert!(from.is_some_and(|from| from <= 2_000_000), "{asked:?}");
    assert_eq!(asked.len(), 1);
    Ok(())
}

/// What somebody does to the folder of unfinished objects, and how many bytes are right then.
type Damage = (&'static str, fn(&Path) -> Result<()>, usize);

#[tokio::test]
async fn what_is_left_on_disk_is_not_trusted() -> Result<()> {
    let cases: [Damage; 6] = [
        ("nothing", |_| Ok(()), BREAK),
        (
            "a byte in the middle",
            |folder| edit(folder, false, |bytes| bytes[2_500_000] ^= 1),
            2_500_000,
        ),
        (
            "the first byte",
            |folder| edit(folder, false, |bytes| bytes[0] ^= 1),
            0,
        ),
        (
            "cut short",
            |folder| edit(folder, false, |bytes| bytes.truncate(2_500_000)),
            2_500_000,
        ),
        (
            "more bytes",
            |folder| edit(folder, false, |bytes| bytes.extend([7; SIZE])),
            BREAK,
        ),
        (
            "no checkpoint that can be read",
            |folder| edit(folder, true, |bytes| bytes.fill(b'x')),
            0,
        ),
    ];
    for (seed, (what, damage, right)) in (1100..).zip(cases) {
        let object = noise(seed, SIZE);
        let from = restarted(&object, damage).await.context(what)?;
        let most = right.saturating_sub(CHECKPOINTS)..=right;
        assert!(most.contains(&from), "{what}: asked from {from} on");
    }
    Ok(())
}

/// A pull that a `kill -9` ends, and one after a restart with a damaged folder: from where
/// on the origin was asked then.
async fn restarted(object: &Object, damage: fn(&Path) -> Result<()>) -> Result<usize> {
    let origin = Origin::start().await?;
    origin.put_blob(REPOSITORY, object);
    let mut ledge = Ledge::start(&Config::docker(origin.address())).await?;
    let (gate, _client) = broken(&origin, &ledge, object).await?;
    ledge.kill();
    gate.cut();
    origin.idle().await;
    damage(&ledge.store().join("partial"))?;
    origin.forget();
    let ledge = ledge.restart().await?;
    is(&ledge.get(&blob(&object.digest)).fetch().await?, object)?;
    is(&hit(&ledge, &blob(&object.digest)).await?, object)?;
    let asked = asked(&origin, object);
    let [range] = asked.as_slice() else {
        anyhow::bail!("not one request: {asked:?}")
    };
    from(range, object).with_context(|| format!("not the rest: {range}"))
}

/// Changes the unfinished object's bytes, or its checkpoints.
fn edit(folder: &Path, marks: bool, change: impl Fn(&mut Vec<u8>)) -> Result<()> {
    let mut found = files::under(folder);
    found.retain(|path| path.extension().is_some_and(|end| end == "marks") == marks);
    let [file] = found.as_slice() else {
        anyhow::bail!("not one file: {found:?}")
    };
    let mut bytes = fs::read(file)?;
    change(&mut bytes);
    Ok(fs::write(file, bytes)?)
}
