//! Those who bring bytes: each has a claim, and hands what comes to the writer.

use std::mem;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::error::FillError;
use crate::stream::OriginStream;
use crate::transfer::{Claim, Transfer};
use crate::writer::Feed;

/// A claim, and the origin's answer that brings it.
pub(crate) struct Load {
    pub(crate) claim: Claim,
    pub(crate) stream: OriginStream,
}

impl Load {
    /// Brings the claim's bytes, as far as nobody else came before; the answer may have
    /// more. Ends early, and well, when the writer is gone: it says itself why.
    ///
    /// # Errors
    /// The origins' last word.
    pub(crate) async fn bring(
        mut self,
        feed: &mpsc::Sender<Feed>,
    ) -> Result<OriginStream, FillError> {
        let mut is_first = true;
        loop {
            let left = self.claim.left();
            if left.is_empty() {
                return Ok(self.stream);
            }
            let Some((at, bytes)) = self.stream.next(left.end).await? else {
                self.claim.learn(self.stream.at());
                let _ = feed.send(Feed::Size(self.stream.at())).await;
                return Ok(self.stream);
            };
            for span in self.claim.arrived(at..at + bytes.len() as u64) {
                let within = |offset: u64| usize::try_from(offset - at).unwrap_or(usize::MAX);
                let bytes = bytes.slice(within(span.start)..within(span.end));
                if feed
                    .send(Feed::Data {
                        at: span.start,
                        bytes,
                    })
                    .await
                    .is_err()
                {
                    return Ok(self.stream);
                }
            }
            if mem::take(&mut is_first) {
                // Somebody waits for the first bytes: reading on would take the processor from who writes them.
                let _ = feed.reserve_many(feed.max_capacity()).await;
            }
        }
    }
}

/// Brings what nobody brings, from the first gap on, until nothing is missing.
///
/// # Errors
/// The origins' last word.
pub(crate) async fn fill_gaps(
    transfer: Arc<Transfer>,
    first: Option<Load>,
    pieces: bool,
    feed: mpsc::Sender<Feed>,
    stream_from: impl Fn(u64) -> OriginStream,
) -> Result<(), FillError> {
    let mut open = match first {
        Some(load) => Some(load.bring(&feed).await?),
        None => None,
    };
    while let Some(claim) = transfer.claim_gap(pieces).await {
        let at = claim.left().start;
        // Who was sent ahead may have come back with nothing: then the answer goes on here.
        let stream = open.take().filter(|open| open.brings(at));
        let stream = stream.unwrap_or_else(|| stream_from(at));
        open = Some(Load { claim, stream }.bring(&feed).await?);
    }
    Ok(())
}
