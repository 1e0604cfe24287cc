//! What one instance of a component holds.

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::blobs::BlobsView;
use crate::capabilities::Capabilities;
use crate::flights::FlightsView;
use crate::http_client::Hooks;
use crate::key_value::KeyValueView;
use crate::output::Log;
use crate::variables::Variables;

/// The data of an instance's store.
pub(crate) struct InstanceState {
    capabilities: Capabilities,
    hooks: Hooks,
    http: WasiHttpCtx,
    limits: StoreLimits,
    table: ResourceTable,
    wasi: WasiCtx,
}

impl InstanceState {
    /// `memory` bounds the instance's linear memory, in bytes.
    pub(crate) fn new(capabilities: Capabilities, memory: usize) -> Self {
        Self {
            hooks: Hooks(capabilities.client.clone()),
            capabilities,
            http: WasiHttpCtx::new(),
            limits: StoreLimitsBuilder::new().memory_size(memory).build(),
            table: ResourceTable::new(),
            // Empty: no arguments, no environment, no directories, no network.
            wasi: WasiCtx::builder().stdout(Log).stderr(Log).build(),
        }
    }

    pub(crate) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limits
    }

    pub(crate) fn blobs(&mut self) -> BlobsView<'_> {
        BlobsView {
            transfers: &self.capabilities.transfers,
            http: WasiHttpCtxView {
                hooks: &mut self.hooks,
                table: &mut self.table,
                ctx: &mut self.http,
            },
        }
    }

    pub(crate) fn flights(&mut self) -> FlightsView<'_> {
        FlightsView {
            flights: &self.capabilities.flights,
            table: &mut self.table,
        }
    }

    pub(crate) fn key_value(&mut self) -> KeyValueView<'_> {
        KeyValueView {
            stores: &self.capabilities.stores,
            table: &mut self.table,
        }
    }

    pub(crate) fn variables(&mut self) -> &Variables {
        &self.capabilities.variables
    }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
