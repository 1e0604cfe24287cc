//! Bytes on the wire, for what no HTTP client would send.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends `bytes` and returns everything until the server closes.
///
/// The write side stays open: a server that waits for more is found out.
///
/// # Errors
/// If the server has not closed after `bound`.
pub async fn exchange(address: SocketAddr, bytes: &[u8], bound: Duration) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let mut answer = Vec::new();
    let talk = async {
        // A server may answer and close before it has read everything.
        let _ = stream.write_all(bytes).await;
        // A reset after the answer is a close.
        let _ = stream.read_to_end(&mut answer).await;
    };
    tokio::time::timeout(bound, talk)
        .await
        .with_context(|| format!("the server did not close within {bound:?}"))?;
    Ok(answer)
}

/// The status of a raw HTTP/1.1 answer; 0 if there is none.
#[must_use]
pub fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}
