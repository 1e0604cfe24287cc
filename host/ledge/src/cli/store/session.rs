//! The way to a store: open here, or through the mirror that has it open.

use std::io::{Read, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};
use ledge_control::{Client, ClientError};
use ledge_store::OpenError;
use ledge_tend::{Command, Event, Export, Gone, Import, Report, Tend, TendError};
use tokio::runtime::Runtime;

use super::{Coded, StoreArgs};
use crate::tending;

/// How many threads a command has beside its own: for the socket, or for records that are shared.
const THREADS: usize = 1;

/// A store that commands can be done at.
pub(super) struct Session {
    way: Way,
    /// Dropped last.
    runtime: Runtime,
}

enum Way {
    Here(Tend),
    There(Client),
}

impl Session {
    /// Opens the configured store, or finds who has it open.
    pub(super) fn open(args: &StoreArgs) -> Result<Self> {
        let config = args.load()?;
        let path = &config.store.path.value;
        is_there(path)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .context("cannot start")?;
        let way = match runtime.block_on(tending::open(&config)) {
            Ok(tend) => Way::Here(tend),
            Err(error) if is_in_use(&error) => Way::There(Client::new(path)),
            Err(error) => return Err(error),
        };
        Ok(Self { way, runtime })
    }

    /// Does a command.
    pub(super) fn run(
        &self,
        command: &Command,
        watch: &mut (dyn FnMut(Event) -> Result<(), Gone> + Send),
    ) -> Result<Report> {
        match &self.way {
            Way::Here(tend) => {
                let _inside = self.runtime.enter();
                let done = command.run(tend, SystemTime::now(), watch);
                done.map_err(here)
            }
            Way::There(client) => {
                let done = self.runtime.block_on(client.run(command, watch));
                done.map_err(there)
            }
        }
    }

    /// Writes a layout as a tar.
    pub(super) fn export(&self, export: &Export, out: &mut (dyn Write + Send)) -> Result<()> {
        match &self.way {
            Way::Here(tend) => {
                let _inside = self.runtime.enter();
                let done = tend.export(export, SystemTime::now(), out);
                done.map(drop).map_err(here)
            }
            Way::There(client) => {
                let done = self.runtime.block_on(client.export(export, out));
                done.map_err(there)
            }
        }
    }

    /// Reads a layout that is a tar.
    pub(super) fn import(
        &self,
        import: &Import,
        mut from: impl Read + Send + 'static,
    ) -> Result<Report> {
        match &self.way {
            Way::Here(tend) => {
                let _inside = self.runtime.enter();
                let done = tend.import(import, SystemTime::now(), &mut from);
                done.map(Report::Import).map_err(here)
            }
            Way::There(client) => {
                let done = self.runtime.block_on(client.import(import, from));
                done.map_err(there)
            }
        }
    }
}

fn here(error: TendError) -> anyhow::Error {
    if error.is_refusal() {
        Coded::refused(error.to_string()).into()
    } else {
        error.into()
    }
}

fn there(error: ClientError) -> anyhow::Error {
    match error {
        ClientError::Failed(failure) if failure.refused => Coded::refused(failure.message).into(),
        error => error.into(),
    }
}

/// A command makes no store where there is none.
fn is_there(path: &Path) -> Result<()> {
    if path.join("format").exists() {
        return Ok(());
    }
    let message = format!(
        "there is no store at {}; name one with --store, or the configuration with --config",
        path.display()
    );
    Err(Coded::refused(message).into())
}

fn is_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::InUse { .. }))
}
