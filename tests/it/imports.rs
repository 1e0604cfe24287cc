//! What the built component can reach, compared with a list that a reviewer has read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wac_graph::types::{Package, Types};

/// The list that a reviewer has read.
const REVIEWED: &str = include_str!("../imports/registry.txt");

#[test]
fn the_registry_component_imports_what_the_list_says() -> Result<()> {
    let path = component("LEDGE_COMPONENT_WASM", "ledge_registry.wasm")?;
    let imports: BTreeSet<String> = imports("registry", &path)?
        .iter()
        .map(|import| unpatched(import).to_owned())
        .collect();
    for import in &imports {
        println!("{import}");
    }
    let reviewed = reviewed(REVIEWED);
    let differences: Vec<_> = imports.symmetric_difference(&reviewed).collect();
    assert!(
        differences.is_empty(),
        "the component and tests/imports/registry.txt differ in {differences:?}"
    );
    Ok(())
}

/// The interfaces that a list names.
pub(crate) fn reviewed(list: &str) -> BTreeSet<String> {
    let entries = list.lines();
    let entries = entries.filter(|line| !line.starts_with('#') && !line.is_empty());
    entries.map(str::to_owned).collect()
}

/// The patch version of WASI 0.2 changes with the compiler.
pub(crate) fn unpatched(import: &str) -> &str {
    import
        .find("@0.2.")
        .map_or(import, |at| &import[..at + "@0.2".len()])
}

/// Every interface that a component imports.
pub(crate) fn imports(name: &str, path: &Path) -> Result<BTreeSet<String>> {
    let mut types = Types::default();
    let package = Package::from_file(name, None, path, &mut types)
        .with_context(|| path.display().to_string())?;
    Ok(types[package.ty()].imports.keys().cloned().collect())
}

/// A component as `cargo xtask test` has built it, or as an earlier build left it.
pub(crate) fn component(variable: &str, file: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let found = own
        .ancestors()
        .map(|folder| folder.join("components").join(file))
        .find(|path| path.is_file());
    found.with_context(|| format!("no {file}: run `cargo xtask build`, or set {variable}"))
}
