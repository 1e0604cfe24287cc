//! The key-value stores. What is in them can be learned again, so a failure is
//! logged, counts as nothing known, and fails no pull.

use crate::bindings::spin::key_value::key_value::{Error, Store};
use ledge_core::key::{CATALOG_STORE, DEFAULT_STORE, VOLATILE_STORE};
use ledge_core::record::PRESENT;
use std::cell::OnceCell;
use std::rc::Rc;
use wit_bindgen::StreamResult;

/// A store by its label.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Label {
    /// Tags and grants.
    Default,
    /// One key a repository.
    Catalog,
    /// Tokens; in memory alone.
    Volatile,
}

thread_local! {
    // Opened once per instance: a request on the warm path pays for its read alone.
    static STORES: [OnceCell<Rc<Store>>; 3] = const { [const { OnceCell::new() }; 3] };
}

impl Label {
    const fn name(self) -> &'static str {
        match self {
            Self::Default => DEFAULT_STORE,
            Self::Catalog => CATALOG_STORE,
            Self::Volatile => VOLATILE_STORE,
        }
    }

    async fn open(self) -> Result<Rc<Store>, Error> {
        let cell = self as usize;
        if let Some(store) = STORES.with(|stores| stores[cell].get().cloned()) {
            return Ok(store);
        }
        let opened = Store::open(self.name().to_owned()).await?;
        Ok(STORES.with(|stores| stores[cell].get_or_init(|| Rc::new(opened)).clone()))
    }
}

/// A record's bytes.
pub(crate) async fn get(label: Label, key: &str) -> Option<Vec<u8>> {
    let found = async { label.open().await?.get(key.to_owned()).await };
    found.await.unwrap_or_else(|error| {
        log(label, "read", &error);
        None
    })
}

/// Whether there is a record.
pub(crate) async fn exists(label: Label, key: &str) -> bool {
    let found = async { label.open().await?.exists(key.to_owned()).await };
    found.await.unwrap_or_else(|error| {
        log(label, "read", &error);
        false
    })
}

/// Writes a record.
pub(crate) async fn set(label: Label, key: &str, value: &[u8]) {
    let done = async {
        label
            .open()
            .await?
            .set(key.to_owned(), value.to_vec())
            .await
    };
    if let Err(error) = done.await {
        log(label, "write", &error);
    }
}

/// Writes a record that says all by being there, unless it is there.
pub(crate) async fn mark(label: Label, key: &str) {
    if !exists(label, key).await {
        set(label, key, PRESENT).await;
    }
}

/// Forgets a record.
pub(crate) async fn delete(label: Label, key: &str) {
    let done = async { label.open().await?.delete(key.to_owned()).await };
    if let Err(error) = done.await {
        log(label, "delete", &error);
    }
}

/// Shows `take` every key of a store, until it has enough.
///
/// # Errors
/// The store failed; the log says why.
pub(crate) async fn keys(label: Label, mut take: impl FnMut(&str) -> bool) -> Result<(), Error> {
    let (mut stream, end) = label.open().await?.get_keys().await;
    let mut batch = Vec::with_capacity(128);
    loop {
        let (state, read) = stream.read(batch).await;
        if !read.iter().all(|key| take(key)) {
            return Ok(());
        }
        if state == StreamResult::Dropped {
            break;
        }
        batch = read;
        batch.clear();
    }
    end.await
}

fn log(label: Label, what: &str, error: &Error) {
    // The key may name a private repository, the value may be a token: neither is said.
    eprintln!(
        "could not {what} a record of the store {:?}: {error:?}",
        label.name()
    );
}
