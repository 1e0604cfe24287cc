//! The wiring of an operator's commands: at a store that nobody has open, and at a mirror that serves.

use anyhow::{Context, Result};
use ledge_config::Config;
use ledge_control::Control;
use ledge_store::{BlobStore, RedbFile, StoreOptions, open_redb};
use ledge_tend::{Parts, Tend, Upstreams};
use tokio::task::JoinSet;

use crate::shared::{Labels, Sharing};
use crate::upkeep::{bounds, record_bounds};

/// The store of a process that has it open. `changed` is called when what may be shown is not what it was.
///
/// # Errors
/// What is wrong with the upstreams' names.
pub(crate) fn tend(
    config: &Config,
    store: &BlobStore,
    records: &RedbFile,
    labels: &Labels,
    changed: impl Fn() + Send + Sync + 'static,
) -> Result<Tend> {
    Ok(Tend::new(Parts {
        store: store.clone(),
        file: records.clone(),
        default: labels.open("default"),
        catalog: labels.open("catalog"),
        bounds: record_bounds(config),
        upstreams: Upstreams::new(config.registry()).context("cannot read the upstreams")?,
        changed: Box::new(changed),
    }))
}

/// Takes commands at the socket in the store, beside what else runs. Without one the mirror serves all the same.
pub(crate) fn take_commands(config: &Config, tend: Tend, beside: &mut JoinSet<()>) {
    match Control::bind(&config.store.path.value) {
        Ok(control) => drop(beside.spawn(control.serve(tend))),
        Err(error) => {
            tracing::warn!(%error, "commands such as `ledge ls` cannot reach this mirror");
        }
    }
}

/// Opens the configured store for a command, which nobody else has open.
///
/// # Errors
/// [`ledge_store::OpenError::InUse`] if somebody has; what else keeps it from being opened.
pub(crate) async fn open(config: &Config) -> Result<Tend> {
    let path = &config.store.path.value;
    let store = BlobStore::open(&StoreOptions {
        path: path.clone(),
        memory: 0,
        leftovers: config.transfer.leftovers.value,
        bounds: bounds(config),
    })?;
    let records = open_redb(&path.join("kv.redb"))?;
    let server = Sharing::of_records(config).await?.connect().await?;
    let labels = Labels::new(records.clone(), server);
    tend(config, &store, &records, &labels, || {})
}
