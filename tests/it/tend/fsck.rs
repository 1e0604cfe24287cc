//! `fsck`.

use std::fs;
use std::os::unix::fs::FileExt as _;

use anyhow::Result;
use ledge_tests::http::Method;

use super::{Site, lines, path_of};

/// Flips a bit in the middle of an object, as disks do.
fn damage(site: &Site, digest: &str) -> Result<()> {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(site.file(digest)?)?;
    let middle = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle)?;
    file.write_all_at(&[byte[0] ^ 1], middle)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_object_is_fetched_again_by_the_next_pull() -> Result<()> {
    let site = Site::pulled(3300).await?;
    // A layer that is served from the disk, and a manifest that is held in memory and in kept answers.
    let (layer, root) = (&site.image.blobs[1].digest, &site.image.root().digest);
    damage(&site, layer)?;
    damage(&site, root)?;
    let found = lines(&site.run(&["fsck", "--json", "--rate", "0"]).await?, 1)?;
    let mut wrong: Vec<_> = found
        .iter()
        .filter_map(|line| line["finding"]["what"].as_str())
        .collect();
    wrong.sort_unstable();
    let mut expected = [layer.as_str(), root.as_str()];
    expected.sort_unstable();
    assert_eq!(wrong, expected, "{found:?}");
    let report = &found[found.len() - 1]["fsck"];
    assert_eq!(
        (&report["damaged"], &report["objects"]),
        (&2.into(), &4.into())
    );

    site.origin.forget();
    site.pull().await?;
    assert_eq!(site.origin.count(&Method::GET, layer), 1);
    assert_eq!(
        site.origin.count(&Method::GET, &site.image.blobs[0].digest),
        0
    );
    let clean = lines(&site.run(&["fsck", "--json", "--rate", "0"]).await?, 0)?;
    assert_eq!(clean[clean.len() - 1]["fsck"]["objects"], 4);
    let stats = lines(&site.run(&["stats", "--json"]).await?, 0)?;
    assert_eq!(stats[0]["stats"]["quarantined"], 2, "{stats:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mirror_it_does_the_same() -> Result<()> {
    let mut site = Site::pulled(3310).await?;
    let layer = site.image.blobs[1].digest.clone();
    site.end().await?;
    damage(&site, &layer)?;
    let found = lines(&site.run(&["fsck", "--json", "--delete"]).await?, 1)?;
    assert_eq!(found[0]["finding"]["what"], layer.as_str(), "{found:?}");
    assert_eq!(found[0]["finding"]["done"], "deleted", "{found:?}");
    assert_eq!(site.run(&["fsck"]).await?.status.code(), Some(0));
    site.ledge = site.ledge.restart().await?;
    site.pull().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_served_meanwhile_sees_nothing_of_it() -> Result<()> {
    let site = Site::pulled(3320).await?;
    let layer = &site.image.blobs[1];
    let mut slow = site.ledge.get(&path_of(&layer.digest)).send().await?;
    let head = slow.at_least(1).await?;
    assert_eq!(
        site.run(&["fsck", "--rate", "0"]).await?.status.code(),
        Some(0)
    );
    let rest = slow.rest().await?.body;
    assert_eq!([head, rest].concat(), layer.bytes);
    Ok(())
}

/// A command that is given up stops at the mirror too, and leaves the next one its turn.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_is_over() -> Result<()> {
    let site = Site::pulled(3330).await?;
    let socket = site.ledge.store().join("control.sock");
    let slow = ledge_tests::http::Request::unix(Method::POST, socket, "/v1/fsck");
    let mut slow = slow.body("{\"rate\":1000}").send().await?;
    // It says that it is at work.
    slow.at_least(1).await?;
    let busy = site.run(&["fsck", "--rate", "0"]).await?;
    assert_eq!(busy.status.code(), Some(2));
    assert!(String::from_utf8(busy.stderr)?.contains("another command"));
    drop(slow);
    while site.run(&["fsck", "--rate", "0"]).await?.status.code() != Some(0) {}
    Ok(())
}
