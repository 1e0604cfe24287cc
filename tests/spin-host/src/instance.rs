//! What one instance of the component holds.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::client::Client;
use crate::key_value::{KeyValueView, Stores};
use crate::memory::{Memory, Peaks};
use crate::variables::Variables;

/// What every instance is given.
pub(crate) struct Equipment {
    pub(crate) engine: Engine,
    pub(crate) client: Client,
    pub(crate) stores: Stores,
    pub(crate) variables: Variables,
    pub(crate) peaks: Arc<Peaks>,
}

/// The data of an instance's store.
pub(crate) struct State {
    client: Client,
    stores: Stores,
    open_stores: usize,
    variables: Variables,
    memory: Memory,
    http: WasiHttpCtx,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl Equipment {
    pub(crate) fn store(&self) -> Store<State> {
        let state = State {
            client: self.client.clone(),
            stores: self.stores.clone(),
            open_stores: 0,
            variables: self.variables.clone(),
            memory: Memory::new(self.peaks.clone(), self.stores.limits.max_memory),
            http: WasiHttpCtx::new(),
            wasi: WasiCtx::builder().inherit_stdout().inherit_stderr().build(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        store
    }
}

impl State {
    pub(crate) fn key_value(&mut self) -> KeyValueView<'_> {
        KeyValueView {
            stores: &self.stores,
            open: &mut self.open_stores,
            table: &mut self.table,
        }
    }

    pub(crate) fn variables(&mut self) -> &Variables {
        &self.variables
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.client,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
