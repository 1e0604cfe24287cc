//! wasmtime's engine, and components compiled for it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

/// How often a guest that is busy yields. Spin's is 10 ms too (`crates/core`).
const EPOCH: Duration = Duration::from_millis(10);

/// The engine. A file that it compiled can be loaded by an equal one alone.
pub(crate) fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    Engine::new(&config).map_err(told)
}

/// wasmtime's errors have a type of their own.
#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
pub(crate) fn told(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}

/// Compiles `component` into the file `out`.
pub(crate) fn compile(component: &Path, out: &Path) -> Result<()> {
    let wasm = fs::read(component).with_context(|| component.display().to_string())?;
    let compiled = engine()?.precompile_component(&wasm).map_err(told)?;
    fs::write(out, compiled).with_context(|| out.display().to_string())
}

/// Loads what `compile` wrote.
#[allow(
    unsafe_code,
    reason = "deserialising trusts the file, which this very program made when the tests were built"
)]
pub(crate) fn load(engine: &Engine, compiled: &Path) -> Result<Component> {
    // SAFETY: it is what `compile` wrote; a file of another version or other settings is refused.
    let component = unsafe { Component::deserialize_file(engine, compiled) };
    component
        .map_err(told)
        .with_context(|| compiled.display().to_string())
}

/// Advances the engine's epoch, from a thread that no guest can hold.
pub(crate) fn tick(engine: &Engine) {
    let engine = engine.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(EPOCH);
            engine.increment_epoch();
        }
    });
}
