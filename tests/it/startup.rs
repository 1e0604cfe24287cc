//! A Ledge that cannot start says why, and ends.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ledge_tests::clients::{self, User};
use ledge_tests::config::Config;
use ledge_tests::ledge::{self, Ledge};
use ledge_tests::origin::Origin;
use ledge_tests::process::Process;
use tempfile::TempDir;

/// Far above what a refusal takes.
const SOON: Duration = Duration::from_secs(10);

/// Runs `ledge serve` to its end, which must be a failure; what it said.
async fn refused(config: &Path, store: &Path) -> Result<String> {
    let process = Process::spawn("ledge", &mut ledge::command(config, store)?)?;
    let status = process.ended(SOON).await?;
    ensure!(!status.success(), "{status}: {}", process.log().join("\n"));
    Ok(process.log().join("\n"))
}

fn folder(config: &str) -> Result<TempDir> {
    let folder = tempfile::Builder::new()
        .prefix("ledge-startup-")
        .tempdir()?;
    fs::write(folder.path().join("ledge.toml"), config)?;
    Ok(folder)
}

#[tokio::test]
async fn an_unwritable_store_is_refused() -> Result<()> {
    let folder = folder("")?;
    let config = folder.path().join("ledge.toml");
    // Not even root makes a folder under a file.
    let store = config.join("store");
    let said = refused(&config, &store).await?;
    assert!(said.contains(&store.display().to_string()), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_full_store_is_refused() -> Result<()> {
    let Some(programs) = clients::require(&["mount", "umount"], User::Root) else {
        return Ok(());
    };
    let folder = folder("")?;
    let full = Full::mount(&programs, folder.path().join("full"))?;
    let said = refused(&folder.path().join("ledge.toml"), &full.path).await?;
    assert!(said.contains(&full.path.display().to_string()), "{said}");
    assert!(said.contains("space") || said.contains("full"), "{said}");
    Ok(())
}

/// A file system in memory with no byte left.
struct Full {
    path: std::path::PathBuf,
    umount: std::path::PathBuf,
}

impl Full {
    fn mount(programs: &[std::path::PathBuf], path: std::path::PathBuf) -> Result<Self> {
        let [mount, umount] = programs else {
            anyhow::bail!("two programs")
        };
        fs::create_dir(&path)?;
        let mounted = Command::new(mount)
            .args(["-t", "tmpfs", "-o", "size=64k", "ledge-full"])
            .arg(&path)
            .status()?;
        ensure!(mounted.success(), "mounting a tmpfs: {mounted}");
        let full = Self {
            path,
            umount: umount.clone(),
        };
        // Fails at the end of the space, which is the point.
        let _ = fs::write(full.path.join("ballast"), vec![1; 1 << 20]);
        Ok(full)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        // Nothing more can be done about it here.
        let _ = Command::new(&self.umount).arg(&self.path).status();
    }
}

#[tokio::test]
async fn a_store_has_one_ledge() -> Result<()> {
    let origin = Origin::start().await?;
    let first = Ledge::start(&Config::docker(origin.address())).await?;
    let folder = folder("")?;
    let said = refused(&folder.path().join("ledge.toml"), &first.store()).await?;
    assert!(
        said.contains(&first.store().display().to_string()),
        "{said}"
    );
    assert_eq!(first.get("/v2/").fetch().await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_file_line_and_reason() -> Result<()> {
    for (config, line, reason) in [
        (
            "[server]\nlisten = \"127.0.0.1:0\"\nlisen = \"x\"\n",
            3,
            "lisen",
        ),
        ("\n\n[store]\nmemory = \"much\"\n", 4, "much"),
        (
            "[upstreams.\"a.example\"]\nurl = \"ftp://a.example\"\n",
            2,
            "ftp",
        ),
        ("[server]\ndrain = \"soon\"\n", 2, "soon"),
        ("default_upstream = \n", 1, ""),
        (
            "[upstreams.\"a.example\"]\nurl = \"https://user:pw@a.example\"\n",
            2,
            "a.example",
        ),
    ] {
        let folder = folder(config)?;
        let path = folder.path().join("ledge.toml");
        let said = refused(&path, &folder.path().join("store"))
            .await
            .with_context(|| config.to_owned())?;
        let place = format!("{}:{line}", path.display());
        assert!(
            said.contains(&place) && said.contains(reason),
            "{place} and '{reason}' are not in:\n{said}"
        );
        assert!(!said.contains("user:pw"), "{said}");
    }
    Ok(())
}
