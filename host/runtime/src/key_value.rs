//! `spin:key-value`: what changes, or is about names.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ledge_store::{KvError, Records};
use wasmtime::component::{Accessor, FutureReader, HasData, Resource, ResourceTable, StreamReader};

use crate::bindings::spin::key_value::key_value::{Error, Host, HostStore, HostStoreWithStore};

/// The stores that a component may open, by label.
#[derive(Clone, Default)]
pub struct Stores(Arc<HashMap<String, Arc<dyn Records>>>);

impl Stores {
    /// Labels and their stores.
    #[must_use]
    pub fn new(stores: HashMap<String, Arc<dyn Records>>) -> Self {
        Self(Arc::new(stores))
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A store that a component has open.
#[allow(unreachable_pub, reason = "the bindings re-export it")]
pub struct OpenStore(Arc<dyn Records>);

/// A borrow of what the interface needs.
pub(crate) struct KeyValueView<'a> {
    pub(crate) stores: &'a Stores,
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
        Ok(())
    }
}

type Answer<V> = wasmtime::Result<Result<V, Error>>;

impl<T: Send> HostStoreWithStore<T> for HasKeyValue {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Answer<Resource<OpenStore>> {
        accessor.with(|mut access| {
            let view = access.get();
            match view.stores.0.get(&label) {
                Some(store) => Ok(Ok(view.table.push(OpenStore(store.clone()))?)),
                None => Ok(Err(Error::NoSuchStore)),
            }
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Answer<Option<Vec<u8>>> {
        let value = opened(accessor, &store)?.get(&key).await;
        Ok(value
            .map(|value| value.map(Vec::from))
            .map_err(|error| other(&error)))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        Ok(opened(accessor, &store)?
            .set(&key, value.into())
            .await
            .map_err(|error| other(&error)))
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Answer<()> {
        Ok(opened(accessor, &store)?
            .delete(&key)
            .await
            .map_err(|error| other(&error)))
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Answer<bool> {
        Ok(opened(accessor, &store)?
            .exists(&key)
            .await
            .map_err(|error| other(&error)))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<OpenStore>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let (keys, end) = match opened(accessor, &store)?.keys().await {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(other(&error))),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let end = FutureReader::new(&mut access, async move { wasmtime::error::Ok(end) })?;
            Ok((keys, end))
        })
    }
}

fn opened<T: Send>(
    accessor: &Accessor<T, HasKeyValue>,
    store: &Resource<OpenStore>,
) -> wasmtime::Result<Arc<dyn Records>> {
    accessor.with(|mut access| Ok(access.get().table.get(store)?.0.clone()))
}

fn other(error: &KvError) -> Error {
    Error::Other(error.to_string())
}
