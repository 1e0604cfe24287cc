//! `ledge-compose REGISTRY PROVIDER OUT`: the component that is deployed where Ledge's own host does not run.
//!
//! Both components go into it unchanged, byte for byte. It imports what either of them imports, but for the data
//! plane that the one has from the other, and exports a handler of requests and nothing else.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// The one export. The registry's others are called by Ledge's own host alone.
const HANDLER: &str = "wasi:http/handler@0.3.0";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ledge-compose: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [registry, provider, out] = arguments.as_slice() else {
        bail!("usage: ledge-compose REGISTRY PROVIDER OUT");
    };
    let composed = compose(registry, provider)?;
    std::fs::write(out, composed).with_context(|| format!("cannot write {}", out.display()))
}

/// One component of two: what the provider exports is what the registry imports.
fn compose(registry: &Path, provider: &Path) -> Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let registry = add(&mut graph, "ledge:registry", registry)?;
    let provider = add(&mut graph, "ledge:provider", provider)?;
    let plugs = graph.instantiate(provider);
    let socket = graph.instantiate(registry);
    for interface in exports(&graph, provider) {
        give(&mut graph, (plugs, &interface), socket)
            .with_context(|| format!("the registry does not take {interface}"))?;
    }
    let handler = graph
        .alias_instance_export(socket, HANDLER)
        .context("the registry serves no requests")?;
    graph.export(handler, HANDLER)?;
    Ok(graph.encode(EncodeOptions::default())?)
}

fn add(graph: &mut CompositionGraph, name: &str, path: &Path) -> Result<PackageId> {
    let package = Package::from_file(name, None, path, graph.types_mut())
        .with_context(|| format!("{} is no component", path.display()))?;
    Ok(graph.register_package(package)?)
}

fn exports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    let exports = &graph.types()[graph[package].ty()].exports;
    exports.keys().cloned().collect()
}

/// Gives one instance's export to another as its import of the same name.
fn give(graph: &mut CompositionGraph, from: (NodeId, &str), to: NodeId) -> Result<()> {
    let (instance, interface) = from;
    let export = graph.alias_instance_export(instance, interface)?;
    Ok(graph.set_instantiation_argument(to, interface, export)?)
}
