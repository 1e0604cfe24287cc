//! Which imports exist at all.
//!
//! Beyond its world a component imports what Rust's standard library adds (WASI
//! 0.2: command line, clocks, file system), which is linked over an empty
//! context. Sockets are not linked: a component that wants them does not start.

use wasmtime::component::Linker;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, filesystem};
use wasmtime_wasi::p3::bindings::clocks::monotonic_clock;

use crate::bindings::ledge::edge;
use crate::bindings::spin;
use crate::blobs::HasBlobs;
use crate::flights::HasFlights;
use crate::instance::InstanceState;
use crate::key_value::HasKeyValue;
use crate::variables::HasVariables;

/// Links a component's capabilities.
pub(crate) fn link(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    edge::blobs::add_to_linker::<_, HasBlobs>(linker, InstanceState::blobs)?;
    edge::flights::add_to_linker::<_, HasFlights>(linker, InstanceState::flights)?;
    spin::key_value::key_value::add_to_linker::<_, HasKeyValue>(linker, InstanceState::key_value)?;
    spin::variables::variables::add_to_linker::<_, HasVariables>(linker, InstanceState::variables)?;
    monotonic_clock::add_to_linker::<_, WasiClocks>(linker, InstanceState::clocks)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    link_std(linker)
}

fn link_std(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, InstanceState::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, InstanceState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, InstanceState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, InstanceState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, InstanceState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, InstanceState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, InstanceState::cli)?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, InstanceState::filesystem)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(linker, InstanceState::filesystem)
}
