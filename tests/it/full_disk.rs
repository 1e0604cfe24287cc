//! A disk that is full, or becomes full: clients are served to the end, and nothing is stored.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use ledge_tests::config::Config;
use ledge_tests::files;
use ledge_tests::gate::Gate;
use ledge_tests::http::Answer;
use ledge_tests::images::{self, Image, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};
use tempfile::TempDir;

use crate::crash::kept_whole;
use crate::site::{REPOSITORY, asked, blob, hit, is, manifest, noise};

/// The disk's size: the key-value stores and a few blobs.
const DISK: usize = 24 << 20;

/// A blob that the disk has no room for, and one that it has.
const LARGE: usize = 40_000_000;
const SMALL: usize = 2_000_000;

const TAGS: &str = "/v2/library/app/tags/list";

/// Far above what an end takes that writes everything down.
const END: Duration = Duration::from_secs(60);

/// A file system of `DISK` bytes. Unmounted when it is dropped.
struct Disk(TempDir);

impl Disk {
    fn mount() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ledge-disk-").tempdir()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK}"), "tmpfs"]);
        let output = mount.arg(folder.path()).output().context("running mount")?;
        ensure!(
            output.status.success(),
            "this test mounts a small disk, and may not: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(Self(folder))
    }

    /// A file that takes all the space that is left.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.0.path().join("filler");
        let mut file = File::create_new(&path)?;
        let page = [0; 4096];
        while file.write_all(&page).is_ok() {}
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there ends with this test.
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.0.path().display());
        }
    }
}

/// An origin, and Ledge with its store on a small disk.
struct Site {
    // Ended before its disk is unmounted.
    ledge: Ledge,
    disk: Disk,
    origin: Origin,
}

impl Site {
    async fn start(objects: &[&Object]) -> Result<Self> {
        let (origin, disk) = (Origin::start().await?, Disk::mount()?);
        for object in objects {
            origin.put_blob(REPOSITORY, object);
        }
        let config = Config::docker(origin.address());
        Ok(Self {
            ledge: Ledge::start_in(&config, &disk.0.path().join("store")).await?,
            disk,
            origin,
        })
    }

    async fn blob(&self, object: &Object) -> Result<Answer> {
        self.ledge.get(&blob(&object.digest)).fetch().await
    }

    /// Fails unless a client gets all of an image.
    async fn pull(&self, tag: &str, image: &Image) -> Result<()> {
        is(&self.ledge.get(&manifest(tag)).fetch().await?, image.root())?;
        for object in &image.blobs {
            is(&self.blob(object).await?, object)?;
        }
        Ok(())
    }

    /// A list of tags that its record needs new pages for: what is set of a pull may fit into the old ones.
    async fn long_list(&self) -> Result<Bytes> {
        let image = images::small(1570)?;
        for number in 0..4000 {
            let tag = format!("v{number:0>127}");
            self.origin.put(REPOSITORY, &tag, &image);
        }
        let answer = self.ledge.get(TAGS).fetch().await?;
        ensure!(answer.status == 200 && answer.body.len() > 4000 * 128);
        Ok(answer.body)
    }

    /// Fails if anything of the object is on the disk.
    fn keeps_nothing(&self, object: &Object) -> Result<()> {
        let hex = object.digest.trim_start_matches("sha256:");
        let is_its = |path: &PathBuf| file_name(path).contains(hex);
        let mut found = files::under(&self.ledge.store());
        found.retain(is_its);
        ensure!(found.is_empty(), "{found:?}");
        Ok(())
    }

    /// Fails unless Ledge fetches and stores what there is room for.
    async fn stores(&self, object: &Object) -> Result<()> {
        is(&self.blob(object).await?, object)?;
        is(&hit(&self.ledge, &blob(&object.digest)).await?, object)?;
        ensure!(asked(&self.origin, object) == [""]);
        Ok(())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_is_served_and_not_stored() -> Result<()> {
    let (large, small) = (noise(1500, LARGE), noise(1501, SMALL));
    let site = Site::start(&[&large, &small]).await?;
    for _ in 0..2 {
        let answer = site.blob(&large).await?;
        is(&answer, &large)?;
        assert_eq!(answer.header("cache-status"), "ledge; fwd=miss");
        site.keeps_nothing(&large)?;
    }
    let range = site.ledge.get(&blob(&large.digest));
    let answer = range.header("range", "bytes=30000000-30000999");
    let answer = answer.fetch().await?;
    assert_eq!(answer.status, 206);
    assert_eq!(answer.body, large.bytes.slice(30_000_000..30_001_000));
    site.keeps_nothing(&large)?;
    site.stores(&small).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_in_the_middle_harms_no_client() -> Result<()> {
    let (large, small) = (noise(1510, LARGE), noise(1511, SMALL));
    let site = Site::start(&[&large, &small]).await?;
    // Nobody knows beforehand that it is too large.
    let rule = Rule::new(&large.digest, Act::Chunked).times(1);
    site.origin.rule(rule);
    let answer = site.blob(&large).await?;
    assert_eq!((answer.status, answer.header("content-length")), (200, ""));
    assert_eq!(answer.body, large.bytes);
    site.keeps_nothing(&large)?;
    // Whole once, and from then on only what the disk had not taken.
    let asked = asked(&site.origin, &large);
    let [first, rest] = asked.as_slice() else {
        anyhow::bail!("{asked:?}")
    };
    assert!(first.is_empty() && rest.starts_with("bytes="), "{asked:?}");
    site.stores(&small).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_on_a_disk_that_somebody_else_fills_gets_the_rest() -> Result<()> {
    let object = noise(1540, 12_000_000);
    let site = Site::start(&[&object]).await?;
    let (gate, stall) = (Gate::held(), 3_000_000);
    site.origin
        .rule(Rule::new(&object.digest, Act::Stall(stall, gate.clone())).times(1));
    let path = blob(&object.digest);
    let mut first = site.ledge.get(&path).send().await?;
    let start = first.at_least(stall).await?.len();
    let second = site.ledge.get(&path).send().await?;
    let range = "bytes=9000000-9000999";
    let part = site
        .ledge
        .get(&path)
        .header("range", "bytes=2999000-3000999");
    let part = part.send().await?;
    let filler = site.disk.fill()?;
    gate.release();
    assert_eq!(first.rest().await?.body, object.bytes.slice(start..));
    is(&second.rest().await?, &object)?;
    let part = part.rest().await?;
    assert_eq!(part.status, 206);
    assert_eq!(part.body, object.bytes.slice(2_999_000..3_001_000));
    site.keeps_nothing(&object)?;
    // Nobody starts at the beginning again.
    let asked = asked(&site.origin, &object);
    let again = asked[1..].iter().filter(|range| range.is_empty());
    assert_eq!(again.count(), 0, "{asked:?}");
    let answer = site.ledge.get(&path).header("range", range).fetch().await?;
    assert_eq!(answer.body, object.bytes.slice(9_000_000..9_001_000));
    fs::remove_file(filler)?;
    site.origin.forget();
    site.stores(&object).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_stored_is_verified_all_the_same() -> Result<()> {
    let (large, small) = (noise(1520, LARGE), noise(1521, SMALL));
    let site = Site::start(&[&large, &small]).await?;
    site.origin.rule(Rule::new(&large.digest, Act::Tamper));
    site.blob(&large).await.expect_err("it is cut");
    site.keeps_nothing(&large)?;
    site.origin.behave();
    is(&site.blob(&large).await?, &large)?;
    site.stores(&small).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_no_pull_and_is_used_again_when_it_has_room() -> Result<()> {
    let image = images::layered(1530, &[SMALL])?;
    let site = Site::start(&[]).await?;
    site.origin.put(REPOSITORY, "v1", &image);
    let filler = site.disk.fill()?;
    for turn in 0..2 {
        let answer = site.ledge.get(&manifest("v1")).fetch().await?;
        is(&answer, image.root()).with_context(|| format!("turn {turn}"))?;
        for object in &image.blobs {
            is(&site.blob(object).await?, object).with_context(|| format!("turn {turn}"))?;
            site.keeps_nothing(object)?;
        }
    }
    fs::remove_file(filler)?;
    for object in &image.blobs {
        site.origin.forget();
        site.stores(object).await?;
    }
    is(
        &site.ledge.get(&manifest("v1")).fetch().await?,
        image.root(),
    )
}

/// The records, too: what could not be written while the disk was full is there after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_full_disk_are_written_when_it_has_room() -> Result<()> {
    let image = images::layered(1550, &[SMALL])?;
    let mut site = Site::start(&[]).await?;
    site.origin.put(REPOSITORY, "v1", &image);
    let filler = site.disk.fill()?;
    // The database can write nothing, and is opened again and again. There is no object to evict.
    let list = site.long_list().await?;
    site.ledge.line("records are not written").await?;
    site.pull("v1", &image).await?;
    ensure!(site.ledge.get(TAGS).fetch().await?.body == list);
    fs::remove_file(filler)?;
    site.pull("v1", &image).await?;

    site.ledge.terminate();
    ensure!(site.ledge.ended(END).await?.success());
    site.ledge = site.ledge.restart().await?;
    site.origin.forget();
    site.pull("v1", &image).await?;
    ensure!(site.ledge.get(TAGS).fetch().await?.body == list);
    // Objects may have been in memory alone: those come again, by their digests.
    let mut asked = site.origin.seen();
    asked.retain(|seen| !seen.path.contains("sha256:"));
    ensure!(asked.is_empty(), "{asked:?}");
    Ok(())
}

/// A process that is killed on a full disk leaves nothing half, neither objects nor records.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_on_a_full_disk_leaves_nothing_half() -> Result<()> {
    let image = images::layered(1560, &[SMALL])?;
    let mut site = Site::start(&[]).await?;
    site.origin.put(REPOSITORY, "v1", &image);
    let filler = site.disk.fill()?;
    let list = site.long_list().await?;
    site.ledge.line("records are not written").await?;
    site.pull("v1", &image).await?;
    site.ledge.kill();
    for object in &image.blobs {
        site.keeps_nothing(object)?;
    }
    fs::remove_file(filler)?;
    site.ledge = site.ledge.restart().await?;
    site.pull("v1", &image).await?;
    ensure!(site.ledge.get(TAGS).fetch().await?.body == list);
    kept_whole(&site.ledge.store())
}
