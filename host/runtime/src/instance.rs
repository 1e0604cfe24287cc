//! What one instance of a component holds.

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::blobs::BlobsView;
use crate::capabilities::Capabilities;
use crate::flights::FlightsView;
use crate::http_client::Hooks;
use crate::key_value::KeyValueView;
use crate::output::Log;
use crate::renew::Renewer;
use crate::variables::Variables;

/// What every instance of a component is given.
#[derive(Clone)]
pub(crate) struct Equipment {
    pub(crate) engine: Engine,
    pub(crate) capabilities: Capabilities,
    /// Bounds the instance's linear memory, in bytes.
    pub(crate) memory: usize,
}

/// The data of an instance's store.
pub(crate) struct InstanceState {
    capabilities: Capabilities,
    renewer: Renewer,
    hooks: Hooks,
    http: WasiHttpCtx,
    limits: StoreLimits,
    table: ResourceTable,
    wasi: WasiCtx,
}

impl Equipment {
    /// A store for an instance, within its limits. `renewer` is for the transfers that it starts.
    pub(crate) fn store(&self, renewer: Renewer) -> Store<InstanceState> {
        let limits = StoreLimitsBuilder::new().memory_size(self.memory).build();
        let state = InstanceState {
            hooks: Hooks(self.capabilities.client.clone()),
            capabilities: self.capabilities.clone(),
            renewer,
            http: WasiHttpCtx::new(),
            limits,
            table: ResourceTable::new(),
            // Empty: no arguments, no environment, no directories, no network.
            wasi: WasiCtx::builder().stdout(Log).stderr(Log).build(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        // A tick passes while a guest waits, too: yield, and let those who wait for it judge.
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        store
    }
}

impl InstanceState {
    pub(crate) fn blobs(&mut self) -> BlobsView<'_> {
        BlobsView {
            transfers: &self.capabilities.transfers,
            renewer: &self.renewer,
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
