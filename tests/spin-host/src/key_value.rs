//! `spin:key-value`: stores by label, of those that the manifest grants.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::{Accessor, FutureReader, HasData, Resource, ResourceTable, StreamReader};

use crate::arguments::Limits;
use crate::bindings::spin::key_value::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::records::Records;

/// How many stores an instance may have open at a time: Spin's number (`crates/factor-key-value/src/host.rs`).
const OPEN: usize = 256;

/// The stores that a component may open.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) by_label: Arc<BTreeMap<String, Arc<Records>>>,
    pub(crate) limits: Limits,
}

/// A store that a component has open.
#[allow(unreachable_pub, reason = "the bindings re-export it")]
pub struct OpenStore(Arc<Records>);

/// A borrow of what the interface needs.
pub(crate) struct KeyValueView<'a> {
    pub(crate) stores: &'a Stores,
    pub(crate) open: &'a mut usize,
    pub(crate) table: &'a mut ResourceTable,
}

pub(crate) struct HasKeyValue;

impl HasData for HasKeyValue {
    type Data<'a> = KeyValueView<'a>;
}

impl Host for KeyValueView<'_> {}

impl HostStore for KeyValueView<'_> {
    fn drop(&mut self, store: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        *self.open -= 1;
        Ok(())
    }
}

type Answer<V> = wasmtime::Result<Result<V, Error>>;

impl<T: Send> HostStoreWithStore<T> for HasKeyValue {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Answer<Resource<OpenStore>> {
        accessor.with(|mut access| {
            let view = access.get();
            let Some(store) = view.stores.by_label.get(&label) else {
                return Ok(Err(Error::AccessDenied));
            };
            if *view.open >= OPEN {
                return Ok(Err(Error::StoreTableFull));
            }
            *view.open += 1;
            Ok(Ok(view.table.push(OpenStore(store.clone()))?))
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Answer<Option<Vec<u8>>> {
        let (records, _) = opened(accessor, &store)?;
        Ok(Ok(records.get(&key)))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        let (records, limits) = opened(accessor, &store)?;
        if key.len() > limits.max_key || value.len() > limits.max_value {
            let (key, value) = (key.len(), value.len());
            let why = format!("a key of {key} bytes with a value of {value} bytes is too large");
            eprintln!("key-value: {why}");
            return Ok(Err(Error::Other(why)));
        }
        Ok(records.set(key, Some(value)).map_err(|error| other(&error)))
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Answer<()> {
        let (records, _) = opened(accessor, &store)?;
        Ok(records.set(key, None).map_err(|error| other(&error)))
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Answer<bool> {
        let (records, _) = opened(accessor, &store)?;
        Ok(Ok(records.contains(&key)))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let (records, _) = opened(accessor, &store)?;
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, records.keys())?;
            let end = FutureReader::new(&mut access, async { wasmtime::error::Ok(Ok(())) })?;
            Ok((keys, end))
        })
    }
}

fn opened<T: Send>(
    accessor: &Accessor<T, HasKeyValue>,
    store: &Resource<OpenStore>,
) -> wasmtime::Result<(Arc<Records>, Limits)> {
    accessor.with(|mut access| {
        let view = access.get();
        let records = view.table.get(store)?.0.clone();
        Ok((records, view.stores.limits))
    })
}

fn other(error: &anyhow::Error) -> Error {
    Error::Other(format!("{error:#}"))
}
