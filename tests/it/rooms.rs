//! The rooms import each other in one direction, as `ARCHITECTURE.md` draws it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A room's folder, and which of our crates its manifest may name (beside those for its tests).
const ROOMS: [(&str, &[&str]); 26] = [
    ("components/blobs-http", &["ledge-core"]),
    ("components/core", &[]),
    ("components/registry", &["ledge-core"]),
    ("host/bucket", &["ledge-core", "ledge-store"]),
    ("host/config", &["ledge-core"]),
    ("host/console", &[]),
    ("host/control", &["ledge-tend"]),
    ("host/credentials", &[]),
    (
        "host/fleet",
        &[
            "ledge-bucket",
            "ledge-core",
            "ledge-store",
            "ledge-transfer",
            "ledge-valkey",
        ],
    ),
    (
        "host/ledge",
        &[
            "ledge-bucket",
            "ledge-config",
            "ledge-console",
            "ledge-control",
            "ledge-credentials",
            "ledge-fleet",
            "ledge-origin",
            "ledge-runtime",
            "ledge-server",
            "ledge-store",
            "ledge-tend",
            "ledge-transfer",
            "ledge-valkey",
            "ledge-warm",
        ],
    ),
    ("host/origin", &[]),
    (
        "host/runtime",
        &[
            "ledge-core",
            "ledge-credentials",
            "ledge-origin",
            "ledge-store",
            "ledge-transfer",
        ],
    ),
    ("host/sendfile", &[]),
    ("host/server", &["ledge-sendfile"]),
    ("host/store", &["ledge-core", "ledge-sendfile"]),
    ("host/tend", &["ledge-core", "ledge-store"]),
    (
        "host/transfer",
        &["ledge-core", "ledge-origin", "ledge-store"],
    ),
    ("host/valkey", &["ledge-store"]),
    ("host/warm", &["ledge-console", "ledge-core"]),
    ("tests", &["ledge-store"]),
    ("tests/hashing-guest", &["ledge-core"]),
    ("tests/hostile-guest", &[]),
    ("tests/spin-host", &[]),
    ("tests/spin-platform", &[]),
    ("xtask", &[]),
    ("xtask/compose", &[]),
];

/// What the host may know of `ledge-core`: nothing of tags, manifests or routes.
const FOR_THE_HOST: [&str; 4] = ["config", "digest", "hash", "range"];

/// Live with the host and are none of it: a client of a mirror, which knows what every client knows, and the
/// operator's commands, which know what the registry component keeps.
const OTHERS: [&str; 2] = ["host/tend", "host/warm"];

fn top() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here
        .parent()
        .context("the tests' folder has a parent")?
        .to_owned())
}

#[test]
fn rooms_import_in_one_direction() -> Result<()> {
    for (room, allowed) in ROOMS {
        let manifest = fs::read_to_string(top()?.join(room).join("Cargo.toml"))?;
        let dependencies = manifest
            .split("[dev-dependencies]")
            .next()
            .context("a manifest has a beginning")?;
        for line in dependencies
            .lines()
            .filter(|line| line.starts_with("ledge-"))
        {
            let name = line.split(['.', ' ']).next().unwrap_or(line);
            assert!(allowed.contains(&name), "{room} imports {name}");
        }
    }
    Ok(())
}

#[test]
fn the_host_knows_no_registry() -> Result<()> {
    let (mut files, top) = (Vec::new(), top()?);
    sources(&top.join("host"), &mut files)?;
    let is_other = |file: &PathBuf| OTHERS.iter().any(|other| file.starts_with(top.join(other)));
    files.retain(|file| !is_other(file));
    assert!(files.len() > 50, "only {} sources were found", files.len());
    for file in files {
        let text = fs::read_to_string(&file)?;
        for (_, rest) in text
            .match_indices("ledge_core::")
            .map(|(at, name)| text.split_at(at + name.len()))
        {
            let module = rest.split([':', ';', ' ', '{', '}']).next().unwrap_or(rest);
            assert!(
                FOR_THE_HOST.contains(&module),
                "{} uses ledge_core::{module}",
                file.display()
            );
        }
    }
    Ok(())
}

/// The Rust files below a folder, but for those of tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    Ok(())
}
