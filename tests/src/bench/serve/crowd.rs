//! A crowd that takes large blobs at once, for the memory that it costs a server.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use super::servers::Server;
use super::set::{Asked, Set};
use crate::bench::memory::{Watch, mebibytes};
use crate::bench::reader::Reader;

/// How many there are.
const CLIENTS: usize = 64;

/// Bytes that a client takes at a time, at most.
const MOST: usize = 256 << 10;

/// The most mebibytes of all the server's processes meanwhile.
///
/// # Errors
/// If an answer is not what was asked for.
pub(super) async fn run(server: &Server, set: &Set) -> Result<f64> {
    let (size, _) = set.sizes(Asked::Hundred).context("no blobs")?;
    let paths = set.paths(Asked::Hundred);
    let watch = Watch::start(server.process);
    let mut clients = JoinSet::new();
    for path in paths.iter().cycle().take(CLIENTS) {
        clients.spawn(take(server.address, (*path).to_owned(), size));
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(mebibytes(watch.peak()))
}

async fn take(server: SocketAddr, path: String, size: u64) -> Result<()> {
    let mut reader = Reader::open(server).await?;
    let head = reader.ask(&path, None).await?;
    ensure!(
        head.status == 200 && head.length == size,
        "{path}: {head:?}"
    );
    let mut taken = 0;
    loop {
        match reader.take(MOST, |_| Ok(())).await? {
            0 => break,
            count => taken += count as u64,
        }
    }
    ensure!(taken == size, "{path}: {taken} bytes of {size}");
    Ok(())
}
