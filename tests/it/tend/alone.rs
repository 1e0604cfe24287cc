//! Stores that nobody has open, and those that cannot be opened.

use anyhow::Result;

use super::{Site, lines, run, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mirror_is_no_obstacle() -> Result<()> {
    let mut site = Site::pulled(3200).await?;
    site.ledge.kill();
    assert!(site.ledge.store().join("control.sock").exists());
    // Records of its last second may be lost; objects are not.
    said(&site.run(&["ls"]).await?, 0)?;
    assert_eq!(site.run(&["fsck"]).await?.status.code(), Some(0));
    site.ledge = site.ledge.restart().await?;
    let stats = lines(&site.run(&["stats", "--json"]).await?, 0)?;
    assert_eq!(stats[0]["stats"]["objects"], 4);
    site.end().await?;
    assert!(!site.ledge.store().join("control.sock").exists());
    Ok(())
}

#[tokio::test]
async fn commands_make_no_store() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("none");
    for command in ["ls", "stats", "fsck", "gc"] {
        let output = run(&store, None, &[command]).await?;
        said(&output, 2)?;
        let error = String::from_utf8(output.stderr)?;
        assert!(error.contains("there is no store at"), "{command}: {error}");
    }
    assert!(!store.exists());
    Ok(())
}
