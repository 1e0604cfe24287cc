//! Which imports exist: those of the component that Spin 4.1 has. Anything else keeps the component from starting.

use wasmtime::component::Linker;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::{cli, filesystem, random};
use wasmtime_wasi::p3::bindings::clocks;
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};

use crate::bindings::spin::{key_value, variables};
use crate::instance::State;
use crate::key_value::HasKeyValue;
use crate::variables::HasVariables;

/// Links what the component is given. What Rust's standard library asks for is there, over nothing: no file, no
/// variable of the environment. Sockets are not.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    key_value::key_value::add_to_linker::<_, HasKeyValue>(linker, State::key_value)?;
    variables::variables::add_to_linker::<_, HasVariables>(linker, State::variables)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(linker, State::clocks)?;
    clocks::system_clock::add_to_linker::<_, WasiClocks>(linker, State::clocks)?;
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    random::insecure::add_to_linker::<_, WasiRandom>(linker, State::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, State::random)?;
    cli::environment::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, State::filesystem)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(linker, State::filesystem)
}
