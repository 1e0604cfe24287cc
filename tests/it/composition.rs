//! The registry component composed with the data plane over HTTP: the border is implemented outside
//! this project's host.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, PackageId, plug};

use crate::imports::{component, imports, reviewed, unpatched};

#[test]
fn a_composed_component_needs_no_data_plane() -> Result<()> {
    let registry = component("LEDGE_COMPONENT_WASM", "ledge_registry.wasm")?;
    let provider = component("LEDGE_BLOBS_HTTP_WASM", "ledge_blobs_http.wasm")?;
    let alone = imports("registry", &registry)?;
    for interface in ["ledge:edge/blobs@0.1.0", "ledge:edge/flights@0.1.0"] {
        assert!(alone.contains(interface), "{interface} is not in {alone:?}");
    }

    let mut graph = CompositionGraph::new();
    let socket = add(&mut graph, "registry", &registry)?;
    let filling = add(&mut graph, "provider", &provider)?;
    plug(&mut graph, vec![filling], socket)?;
    let bytes = graph.encode(EncodeOptions::default())?;

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("composed.wasm");
    std::fs::write(&path, bytes)?;
    let composed = imports("composed", &path)?;
    let left: Vec<_> = composed
        .iter()
        .filter(|import| import.starts_with("ledge:edge/"))
        .collect();
    assert!(
        left.is_empty(),
        "the composed component still imports {left:?}"
    );
    assert!(composed.contains("wasi:http/client@0.3.0"), "{composed:?}");
    Ok(())
}

/// The list that a reviewer has read.
const REVIEWED: &str = include_str!("../imports/blobs-http.txt");

#[test]
fn the_data_plane_imports_what_the_list_says() -> Result<()> {
    let path = component("LEDGE_BLOBS_HTTP_WASM", "ledge_blobs_http.wasm")?;
    let imports: BTreeSet<String> = imports("provider", &path)?
        .iter()
        .map(|import| unpatched(import).to_owned())
        .collect();
    assert_eq!(imports, reviewed(REVIEWED));
    Ok(())
}

fn add(graph: &mut CompositionGraph, name: &str, path: &std::path::Path) -> Result<PackageId> {
    let package = Package::from_file(name, None, path, graph.types_mut())
        .with_context(|| path.display().to_string())?;
    Ok(graph.register_package(package)?)
}
