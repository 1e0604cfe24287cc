//! File system calls, off the runtime's threads.

use crate::error::CredentialError;

/// Runs it where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CredentialError> + Send + 'static,
) -> Result<T, CredentialError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(CredentialError::Stopped))
}
