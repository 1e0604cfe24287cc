//! The registry component composed with a provider of its own data plane: the
//! border can be implemented outside this project's host.

use anyhow::{Context, Result};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, PackageId, plug};

use crate::imports::{component, imports};

#[test]
fn a_composed_component_needs_no_data_plane() -> Result<()> {
    let registry = component("LEDGE_COMPONENT_WASM", "ledge_registry.wasm")?;
    let provider = component("LEDGE_STUB_WASM", "ledge_stub_provider.wasm")?;
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

fn add(graph: &mut CompositionGraph, name: &str, path: &std::path::Path) -> Result<PackageId> {
    let package = Package::from_file(name, None, path, graph.types_mut())
        .with_context(|| path.display().to_string())?;
    Ok(graph.register_package(package)?)
}
