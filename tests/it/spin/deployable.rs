//! The registry component in the deployable file is the one that the `ledge` binary runs.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ledge_tests::digest;
use ledge_tests::ledge;
use wasmparser::{Parser, Payload};

use crate::imports::component;

#[test]
fn the_registry_inside_is_the_one_of_the_binary() -> Result<()> {
    let deployable = fs::read(component("LEDGE_SPIN_WASM", "ledge_spin.wasm")?)?;
    let registry = fs::read(component("LEDGE_COMPONENT_WASM", "ledge_registry.wasm")?)?;
    let inside = components(&deployable)?;
    assert_eq!(inside.len(), 2, "the registry and its data plane");
    let sums: Vec<_> = inside
        .iter()
        .map(|component| digest::of(component))
        .collect();
    println!("deployable: {}", digest::of(&deployable));
    println!("inside: {sums:?}; the registry: {}", digest::of(&registry));
    let found = inside
        .iter()
        .find(|component| digest::of(component) == digest::of(&registry))
        .context("none of the components inside is the registry")?;

    // The binary has the same file in it as the runtime loads it, so what the precompiler makes of the
    // extracted one has to be found there.
    let folder = tempfile::tempdir()?;
    let (wasm, compiled) = (folder.path().join("a.wasm"), folder.path().join("a.cwasm"));
    fs::write(&wasm, found)?;
    let binary = ledge::binary()?;
    let precompiler = binary.with_file_name("ledge-precompile");
    let status = Command::new(precompiler)
        .arg(&wasm)
        .arg(&compiled)
        .status()?;
    ensure!(status.success(), "the precompiler failed: {status}");
    assert!(
        contains(&fs::read(&binary)?, &fs::read(&compiled)?),
        "{} runs another component",
        binary.display()
    );
    Ok(())
}

/// The components that a component has in it, each as the bytes that it was made of.
fn components(wasm: &[u8]) -> Result<Vec<&[u8]>> {
    let mut found = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ComponentSection {
                unchecked_range, ..
            } => {
                if depth == 0 {
                    let (start, end) = (unchecked_range.start, unchecked_range.end);
                    let range = usize::try_from(start)?..usize::try_from(end)?;
                    found.push(wasm.get(range).context("a section is cut off")?);
                }
                depth += 1;
            }
            Payload::ModuleSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    Ok(found)
}

/// Whether `needle` is somewhere in `bytes`.
fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first_chunk::<16>() else {
        return false;
    };
    let places = bytes.windows(first.len()).enumerate();
    let mut places = places.filter(|(_, window)| window == first);
    places.any(|(at, _)| bytes[at..].starts_with(needle))
}
