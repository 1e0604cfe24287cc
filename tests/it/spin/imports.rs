//! What the deployable file needs and offers, compared with what Spin 4.1 provides.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use wac_graph::types::{Package, Types};

use crate::imports::{component, imports};

/// The list that a reviewer has read.
const PROVIDED: &str = include_str!("../../spin/provided.txt");

/// Where a line of the list may come from.
const SOURCES: [&str; 3] = ["up", "cli-2", "cli-3"];

#[test]
fn spin_provides_all_that_the_deployable_component_imports() -> Result<()> {
    let path = component("LEDGE_SPIN_WASM", "ledge_spin.wasm")?;
    let provided = provided()?;
    for import in imports("deployable", &path)? {
        println!("{import}");
        assert!(
            is_provided(&import, &provided),
            "Spin 4.1 does not provide {import}"
        );
    }
    Ok(())
}

#[test]
fn it_offers_a_handler_and_nothing_else() -> Result<()> {
    let path = component("LEDGE_SPIN_WASM", "ledge_spin.wasm")?;
    let mut types = Types::default();
    let package = Package::from_file("deployable", None, &path, &mut types)?;
    let exports: Vec<_> = types[package.ty()].exports.keys().cloned().collect();
    assert_eq!(exports, ["wasi:http/handler@0.3.0"]);
    Ok(())
}

#[test]
fn patch_versions_up_to_spins_are_provided() -> Result<()> {
    let provided = provided()?;
    for (import, is) in [
        ("wasi:io/streams@0.2.6", true),
        ("wasi:io/streams@0.2.0", true),
        ("wasi:io/streams@0.2.7", false),
        ("wasi:http/client@0.3.0", true),
        ("wasi:http/client@0.3.1", false),
        ("wasi:sockets/tcp@0.2.6", false),
        ("ledge:edge/blobs@0.1.0", false),
    ] {
        assert_eq!(is_provided(import, &provided), is, "{import}");
    }
    Ok(())
}

/// Interfaces, each with its version.
fn provided() -> Result<BTreeSet<String>> {
    let lines = PROVIDED.lines();
    let entries = lines.filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut seen = BTreeMap::new();
    for line in entries {
        let (interface, source) = line.split_once(' ').context(line)?;
        ensure!(
            SOURCES.contains(&source.trim()),
            "{line} does not say where it comes from"
        );
        ensure!(
            seen.insert(interface.to_owned(), source).is_none(),
            "{line} stands there twice"
        );
    }
    Ok(seen.into_keys().collect())
}

fn is_provided(import: &str, provided: &BTreeSet<String>) -> bool {
    if provided.contains(import) {
        return true;
    }
    let Some((interface, patch)) = import.split_once("@0.2.") else {
        return false;
    };
    let newest = provided.iter().find_map(|line| {
        let (name, patch) = line.split_once("@0.2.")?;
        (name == interface).then(|| patch.parse::<u32>().ok())?
    });
    newest
        .zip(patch.parse::<u32>().ok())
        .is_some_and(|(newest, patch)| patch <= newest)
}
