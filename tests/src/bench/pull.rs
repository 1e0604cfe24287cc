//! Pulls an image as containerd does: three layers at a time, whole or in ranges.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;

use super::reader::Reader;
use super::sample::{Item, Wants};

/// containerd's `max_concurrent_downloads`, by default: layers at a time, and pieces of one layer.
const AT_ONCE: usize = 3;

/// containerd 2.1's `concurrent_layer_fetch_buffer`, as its documentation suggests: 8 MiB.
const PIECE: usize = 8 << 20;

/// How layers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One request a layer, on connections that are kept.
    Whole,
    /// containerd 2.1 with parallel fetch: `bytes=0-`, `bytes=8388608-`, …, each on a connection of
    /// its own that is reset after its 8 MiB.
    Ranges,
}

/// Pulls everything, and compares every byte.
///
/// # Errors
/// If something does not come, or comes wrong: there is no second try.
pub async fn pull(address: SocketAddr, wants: &Wants, style: Style) -> Result<()> {
    let mut reader = Reader::open(address).await?;
    for item in &wants.first {
        whole(&mut reader, item).await?;
    }
    let next = AtomicUsize::new(0);
    let worker = |first: Option<Reader>| layers(address, wants, &next, style, first);
    let readers = [Some(reader), None, None];
    const { assert!(AT_ONCE == 3) };
    try_join_all(readers.map(worker)).await?;
    Ok(())
}

/// Takes one layer after the other that nobody else has taken.
async fn layers(
    address: SocketAddr,
    wants: &Wants,
    next: &AtomicUsize,
    style: Style,
    mut kept: Option<Reader>,
) -> Result<()> {
    while let Some(layer) = wants.layers.get(next.fetch_add(1, Ordering::Relaxed)) {
        match style {
            Style::Ranges => ranges(address, layer).await?,
            Style::Whole => {
                let mut reader = match kept.take() {
                    Some(reader) => reader,
                    None => Reader::open(address).await?,
                };
                whole(&mut reader, layer).await?;
                kept = Some(reader);
            }
        }
    }
    Ok(())
}

/// Takes one whole body, and compares every byte.
///
/// # Errors
/// If it does not come, or comes wrong.
pub async fn whole(reader: &mut Reader, item: &Item) -> Result<()> {
    let head = reader.ask(&item.path, None).await.context("asking")?;
    ensure!(head.status == 200, "{} for {}", head.status, item.path);
    reader.compare(&item.bytes).await
}

/// One layer in pieces. A server that answers the first one whole is taken by its word.
async fn ranges(address: SocketAddr, layer: &Item) -> Result<()> {
    let mut first = Reader::open(address).await?;
    let head = first.ask(&layer.path, Some(0)).await.context("asking")?;
    if head.status == 200 {
        return first.compare(&layer.bytes).await;
    }
    ensure!(
        (head.status, head.from) == (206, Some(0)),
        "{head:?} for the first range of {}",
        layer.path
    );
    let next = AtomicUsize::new(1);
    let mut readers: Vec<Option<Reader>> = vec![Some(first)];
    readers.resize_with(AT_ONCE, || None);
    let worker = |first| pieces(address, layer, &next, first);
    try_join_all(readers.into_iter().map(worker)).await?;
    Ok(())
}

async fn pieces(
    address: SocketAddr,
    layer: &Item,
    next: &AtomicUsize,
    first: Option<Reader>,
) -> Result<()> {
    if let Some(reader) = first {
        piece(reader, layer, 0).await?;
    }
    loop {
        let from = next.fetch_add(1, Ordering::Relaxed) * PIECE;
        if from >= layer.bytes.len() {
            return Ok(());
        }
        let mut reader = Reader::open(address).await?;
        let head = reader
            .ask(&layer.path, Some(from as u64))
            .await
            .context("asking")?;
        ensure!(
            (head.status, head.from) == (206, Some(from as u64)),
            "{head:?} for the range from {from} of {}",
            layer.path
        );
        piece(reader, layer, from).await?;
    }
}

/// Takes one piece of an open-ended range, and drops the rest.
async fn piece(mut reader: Reader, layer: &Item, from: usize) -> Result<()> {
    let end = layer.bytes.len().min(from + PIECE);
    reader.compare(&layer.bytes[from..end]).await?;
    reader.reset()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::sample;
    use crate::http::Method;
    use crate::origin::Origin;
    use crate::script::{Act, Rule};

    #[tokio::test]
    async fn both_styles_pull_every_byte() -> Result<()> {
        let origin = Origin::start().await?;
        // Three pieces, one piece, a bit.
        let image = sample::image(1, &[2 * PIECE + 10, PIECE, 1000])?;
        let wants = Wants::put(&origin, &image)?;
        pull(origin.address(), &wants, Style::Whole).await?;
        assert_eq!(origin.count(&Method::GET, "/blobs/"), 4);
        origin.forget();
        pull(origin.address(), &wants, Style::Ranges).await?;
        assert_eq!(origin.count(&Method::GET, "/blobs/"), 1 + 3 + 1 + 1);
        origin.forget();
        origin.ignore_ranges();
        pull(origin.address(), &wants, Style::Ranges).await?;
        assert_eq!(origin.count(&Method::GET, "/blobs/"), 4);
        origin.rule(Rule::new(&image.blobs[2].digest, Act::Tamper));
        for style in [Style::Whole, Style::Ranges] {
            pull(origin.address(), &wants, style)
                .await
                .expect_err("a wrong byte");
        }
        Ok(())
    }
}
