//! Where components run: engine, linker, capabilities, pooled instances, limits.
//!
//! A capability is one file: *context* (its state), and the implementation of
//! the interface of `wit/` that it stands for. A component gets what
//! [`Capabilities`] holds, and nothing else: no file, no socket, no environment.
//! This is the only room that knows wasmtime.

mod answers;
mod bindings;
mod blobs;
mod capabilities;
mod engine;
mod flights;
mod http_client;
mod instance;
mod key_value;
mod linker;
mod output;
mod pool;
mod renew;
mod runtime;
mod variables;

pub use capabilities::Capabilities;
pub use engine::{ComponentError, Engine, EngineOptions, precompile};
pub use flights::Flights;
pub use key_value::Stores;
pub use runtime::{HandleError, Runtime, RuntimeOptions};
pub use variables::{LiveVariable, NoValue, Reading, Variables};

/// A compiled component.
pub use wasmtime::component::Component;
/// Why such a body broke off.
pub use wasmtime_wasi_http::Error as BodyError;
/// A response's body as it leaves a component: the host's own, or the guest's.
pub use wasmtime_wasi_http::WasiBody as ResponseBody;
