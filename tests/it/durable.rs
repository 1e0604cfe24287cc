//! What is on the disk when a power cut comes. A kill cannot show it, since the kernel lives on; the order of
//! the calls can, and `strace` shows that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ledge_tests::clients::{self, User};
use ledge_tests::images;
use ledge_tests::process::Process;
use tempfile::TempDir;

use crate::site::{Site, is};
use calls::{Call, parse};

mod calls;

/// What is traced: everything that puts bytes or names on the disk.
const TRACED: &str = "trace=pwrite64,write,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,\
                      rename,renameat,renameat2,link,linkat,mkdir,mkdirat";

/// Far above what an end takes that writes everything down.
const END: Duration = Duration::from_secs(60);

/// How often it is looked whether all is stored.
const LOOK: Duration = Duration::from_millis(20);

/// The file that `strace` writes.
const CALLS: &str = "calls";

/// A pull under `strace`.
struct Trace {
    calls: Vec<Call>,
    site: Site,
    folder: TempDir,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_has_its_name_when_it_is_on_the_disk_and_not_before() -> Result<()> {
    let image = images::layered(1700, &[3_000_000, 50_000])?;
    let Some(trace) = Trace::of_a_pull(&image).await? else {
        return Ok(());
    };
    for object in image.blobs.iter().chain(&image.manifests) {
        let committed = trace.is_committed(&object.digest);
        committed.with_context(|| object.digest.clone())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_in_force_when_they_are_on_the_disk_and_not_before() -> Result<()> {
    let image = images::layered(1701, &[50_000])?;
    let Some(trace) = Trace::of_a_pull(&image).await? else {
        return Ok(());
    };
    for name in ["kv.redb", "index.redb"] {
        let path = trace.site.ledge.store().join(name);
        let commits = trace.commits(&path).context(name)?;
        ensure!(commits > 0, "nothing is written to {name}");
    }
    Ok(())
}

impl Trace {
    /// Pulls an image, and ends Ledge. None where nothing may be traced.
    async fn of_a_pull(image: &images::Image) -> Result<Option<Self>> {
        let Some(programs) = clients::require(&["strace"], User::Root) else {
            return Ok(None);
        };
        let site = Site::start(image).await?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(CALLS);
        let mut strace = Command::new(&programs[0]);
        strace.args(["-f", "-y", "-s", "0", "-e", TRACED, "-o"]);
        strace.arg(&file).args(["-p", &site.ledge.id().to_string()]);
        let strace = Process::spawn("strace", &mut strace)?;
        strace.line("attached").await?;

        is(&site.manifest("v1").await?, image.root())?;
        for object in &image.blobs {
            is(&site.blob(&object.digest).await?, object)?;
        }
        let mut trace = Self {
            calls: Vec::new(),
            site,
            folder,
        };
        trace.settle(image).await?;
        trace.site.ledge.terminate();
        ensure!(trace.site.ledge.ended(END).await?.success());
        strace.ended(END).await?;
        trace.read()?;
        Ok(Some(trace))
    }

    /// Waits until all is stored: a client has its last byte before.
    async fn settle(&mut self, image: &images::Image) -> Result<()> {
        let objects = || image.blobs.iter().chain(&image.manifests);
        let settled = async {
            loop {
                self.read()?;
                if objects().all(|object| self.is_stored(&object.digest).is_ok()) {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(END, settled).await?
    }

    /// What was traced until now, without a line that is being written.
    fn read(&mut self) -> Result<()> {
        let text = fs::read_to_string(self.folder.path().join(CALLS))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        self.calls = parse(whole)?;
        Ok(())
    }

    /// The directory is synced after the object came to have its name.
    fn is_stored(&self, digest: &str) -> Result<()> {
        let path = self.object(digest);
        let (_, named) = self.renamed(&path)?;
        let is_synced = |call: &&Call| call.syncs() && Some(call.path.as_path()) == path.parent();
        let mut later = self.calls.iter().filter(|call| call.begin > named.end);
        later
            .find(is_synced)
            .context("its directory is not synced after that")?;
        Ok(())
    }

    fn object(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        let blobs = self.site.ledge.store().join("blobs/sha256");
        blobs.join(&hex[..2]).join(hex)
    }

    /// Write → sync of the file → name → sync of the directory; and the directory itself was durable before.
    fn is_committed(&self, digest: &str) -> Result<()> {
        let path = self.object(digest);
        let (from, named) = self.renamed(&path)?;
        ensure!(
            from.starts_with(self.site.ledge.store().join("partial")),
            "it comes from {}",
            from.display()
        );
        let written = self.last(|call| call.writes() && call.path == from);
        let written =
            written.with_context(|| format!("nothing is written to {}", from.display()))?;
        ensure!(
            written.end < named.begin,
            "it is written to after it has its name"
        );
        let later = self
            .calls
            .iter()
            .any(|call| call.writes() && call.path == path);
        ensure!(!later, "it is written to under its name");
        let is_synced = |call: &Call| call.syncs() && call.path == from;
        self.between(written, named, is_synced)
            .context("the file is not synced between its last write and its name")?;
        self.is_stored(digest)?;
        self.is_made(path.parent().context("it has one")?)
    }

    /// A directory that was made meanwhile is in its parent for good.
    fn is_made(&self, directory: &Path) -> Result<()> {
        let made = self.calls.iter().find(|call| call.makes(directory));
        let parent = directory.parent().context("it has one")?;
        let Some(made) = made else {
            return Ok(());
        };
        let synced = |call: &&Call| call.syncs() && call.path == parent && call.begin > made.end;
        let synced = self.calls.iter().find(synced);
        let synced = synced.context("a new directory is not synced")?;
        let first = self.calls.iter().find(|call| {
            let target = call.target.as_deref();
            target.and_then(Path::parent) == Some(directory)
        });
        let first = first.context("nothing comes into a new directory")?;
        ensure!(synced.end < first.begin, "an object comes into it before");
        Ok(())
    }

    /// What came to have this name, and when.
    fn renamed(&self, path: &Path) -> Result<(&Path, &Call)> {
        let named = |call: &&Call| call.target.as_deref() == Some(path);
        let named = self.calls.iter().find(named);
        let named = named.with_context(|| format!("nothing becomes {}", path.display()))?;
        Ok((&named.path, named))
    }

    /// The database's first page says which others are in force (redb's `docs/design.md`, "Commit strategies"):
    /// it is written when those are on the disk, and synced itself. How often that was done.
    fn commits(&self, path: &Path) -> Result<usize> {
        let (mut waiting, mut synced, mut is_told, mut commits) = (0, 0, false, 0);
        for call in self.calls.iter().filter(|call| call.path == path) {
            if call.syncs() {
                (synced, waiting) = (synced + waiting, 0);
                if is_told {
                    (synced, is_told, commits) = (0, false, commits + 1);
                }
            } else if call.offset == Some(0) {
                ensure!(waiting == 0, "{waiting} pages are not synced before");
                is_told |= synced > 0;
            } else {
                waiting += 1;
            }
        }
        Ok(commits)
    }

    fn last(&self, is_one: impl Fn(&Call) -> bool) -> Option<&Call> {
        self.calls.iter().rfind(|call| is_one(call))
    }

    fn between(
        &self,
        before: &Call,
        after: &Call,
        is_one: impl Fn(&Call) -> bool,
    ) -> Option<&Call> {
        let mut calls = self.calls.iter();
        calls.find(|call| call.begin > before.end && call.end < after.begin && is_one(call))
    }
}
