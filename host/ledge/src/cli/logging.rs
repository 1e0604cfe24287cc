//! The log: to standard error, as text or as JSON.

use std::io::IsTerminal;

use anyhow::Context;
use ledge_config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

use super::log_buffer::{LogBuffer, LogGuard};

/// Starts the log of the process. What is not written yet is written when the guard is dropped.
///
/// # Errors
///
/// If it is started already.
pub(super) fn start(log: &Log) -> anyhow::Result<LogGuard> {
    let filter = EnvFilter::try_new(log.filter.as_str())?;
    let (writer, guard) = LogBuffer::start().context("cannot start the log")?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    let started = match log.format.value {
        LogFormat::Text => subscriber
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started
        .map_err(|error| anyhow::anyhow!(error))
        .context("cannot start the log")?;
    Ok(guard)
}
