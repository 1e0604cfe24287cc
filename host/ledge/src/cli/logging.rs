//! The log: to standard error, as text or as JSON.

use std::io::IsTerminal;

use anyhow::Context;
use ledge_config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Starts the log of the process.
///
/// # Errors
///
/// If it is started already.
pub(super) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(log.filter.as_str())?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match log.format.value {
        LogFormat::Text => subscriber
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started
        .map_err(|error| anyhow::anyhow!(error))
        .context("cannot start the log")
}
