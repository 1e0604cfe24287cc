//! wasmtime's engine, and components compiled for it.

use std::fs;
use std::path::{Path, PathBuf};

use wasmtime::component::Component;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::renew::RENEWALS;

/// How many instances there may be, and how large.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// Instances at a time that serve. A few more may be made to renew a transfer's request.
    pub instances: u32,
    /// The most linear memory that one may have, in bytes.
    pub instance_memory: usize,
}

/// What components are compiled for, and run in.
#[derive(Clone)]
pub struct Engine(pub(crate) wasmtime::Engine);

/// Why a component cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The file cannot be read.
    #[error("cannot read the component {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The engine cannot be made, on this machine.
    #[error("cannot set up the WebAssembly engine: {0:#}")]
    Engine(wasmtime::Error),
    /// It is no component, or imports what is not given.
    #[error("the component {name} cannot be run here: {why:#}")]
    Unfit {
        /// Its file, or "embedded".
        name: String,
        /// What is wrong with it.
        why: wasmtime::Error,
    },
}

/// The compiler's settings, which a precompiled component must share with the
/// engine that loads it. The target is explicit, else the file would ask for the
/// features of the machine that it was built on.
fn compiler() -> Result<Config, wasmtime::Error> {
    let mut config = Config::new();
    config.target(env!("LEDGE_TARGET"))?;
    config.wasm_component_model(true);
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    Ok(config)
}

/// An instance has a few memories and tables of its own: std's, and the adapter's.
const CORE_PER_INSTANCE: u32 = 8;

impl Engine {
    /// An engine whose instances come from a pool.
    ///
    /// # Errors
    /// [`ComponentError::Engine`] if the machine cannot reserve the address space.
    pub fn new(options: EngineOptions) -> Result<Self, ComponentError> {
        Self::pooled(options).map_err(ComponentError::Engine)
    }

    fn pooled(options: EngineOptions) -> Result<Self, wasmtime::Error> {
        let instances = options.instances + RENEWALS;
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(instances)
            .total_core_instances(instances * CORE_PER_INSTANCE)
            .total_memories(instances)
            .total_tables(instances * CORE_PER_INSTANCE)
            .total_stacks(instances * 4)
            .max_memory_size(options.instance_memory)
            .max_component_instance_size(1 << 20);
        let mut config = compiler()?;
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        wasmtime::Engine::new(&config).map(Self)
    }

    /// A component from a file: WebAssembly, binary or text.
    ///
    /// # Errors
    /// [`ComponentError::Read`], [`ComponentError::Unfit`].
    pub fn load(&self, path: &Path) -> Result<Component, ComponentError> {
        let bytes = fs::read(path).map_err(|source| ComponentError::Read {
            path: path.to_owned(),
            source,
        })?;
        Component::new(&self.0, bytes).map_err(|why| ComponentError::Unfit {
            name: path.display().to_string(),
            why,
        })
    }

    /// A component that [`precompile`] made at build time.
    ///
    /// # Errors
    /// [`ComponentError::Unfit`] if another version or other settings made it.
    #[allow(
        unsafe_code,
        reason = "deserialising trusts the bytes; a 'static slice is part of this program, put there by its build. Tested in tests/it: the embedded component serves"
    )]
    pub fn load_embedded(&self, bytes: &'static [u8]) -> Result<Component, ComponentError> {
        // SAFETY: the bytes come from this program's own build (`ledge-precompile`).
        unsafe { Component::deserialize(&self.0, bytes) }.map_err(|why| ComponentError::Unfit {
            name: "embedded".to_owned(),
            why,
        })
    }
}

/// Compiles a component ahead of time.
///
/// # Errors
/// wasmtime's own, if it is no component.
pub fn precompile(wasm: &[u8]) -> Result<Vec<u8>, wasmtime::Error> {
    wasmtime::Engine::new(&compiler()?)?.precompile_component(wasm)
}
