//! Ends a long program early and in order: what it started ends with it, and
//! its temporary folders go.

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Does `work`, unless SIGINT or SIGTERM comes first; then `work` is dropped.
///
/// # Errors
/// Those of `work`, and the interruption itself.
pub async fn or<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    tokio::select! {
        result = work => result,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}
