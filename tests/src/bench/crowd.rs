//! A crowd of clients: how many got everything, when the last one was done, and what the link carried.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::board::{Board, Metric};
use super::shown;
use crate::relay::Relay;

/// A link that carries nothing for so long is at rest: ten round trips and more.
const REST: Duration = Duration::from_secs(1);

/// How long a link may take to come to rest when the clients are done.
const SETTLING: Duration = Duration::from_secs(30);

/// What became of a crowd.
#[derive(Debug, Default)]
pub struct Burst {
    /// Until the last client was done or failed; the bound, if one was still waiting then.
    pub took: Duration,
    /// Clients that got everything.
    pub done: u32,
    /// The others.
    pub failed: u32,
    why: Option<String>,
}

/// Runs clients together, and gives up those that are not done within `bound`.
pub async fn gather<C>(clients: impl IntoIterator<Item = C>, bound: Duration) -> Burst
where
    C: Future<Output = Result<()>> + Send + 'static,
{
    let started = tokio::time::Instant::now();
    let mut clients: JoinSet<Result<()>> = clients.into_iter().collect();
    let mut burst = Burst::default();
    while let Ok(Some(ended)) = timeout_at(started + bound, clients.join_next()).await {
        burst.took = started.elapsed();
        burst.count(ended.map_err(anyhow::Error::from).flatten());
    }
    if !clients.is_empty() {
        burst.give_up(clients.len(), bound);
    }
    clients.shutdown().await;
    burst
}

impl Burst {
    fn count(&mut self, ended: Result<()>) {
        match ended {
            Ok(()) => self.done += 1,
            Err(error) => {
                self.failed += 1;
                self.why.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }

    fn give_up(&mut self, waiting: usize, bound: Duration) {
        self.took = bound;
        self.failed = self
            .failed
            .saturating_add(u32::try_from(waiting).unwrap_or(u32::MAX));
        self.why
            .get_or_insert_with(|| format!("{waiting} clients are not done after {bound:?}"));
    }

    /// Waits until the link carries nothing more: what a mirror fetches after its clients counts, too.
    pub async fn settle(&self, link: &Relay) {
        // One that is given up would go on for long.
        if self.failed > 0 {
            return;
        }
        let deadline = Instant::now() + SETTLING;
        let mut before = None;
        while before != Some(link.bytes()) && Instant::now() < deadline {
            before = Some(link.bytes());
            tokio::time::sleep(REST).await;
        }
    }

    /// A line of progress.
    #[must_use]
    pub fn told(&self, link: &Relay) -> String {
        let (bytes, took) = (link.bytes(), shown(self.took));
        let why = self
            .why
            .as_ref()
            .map_or_else(String::new, |why| format!(": {why}"));
        let Self { done, failed, .. } = self;
        format!("{done} done, {failed} failed in {took}, {bytes} bytes over the link{why}")
    }

    /// Adds what the link carried, by the `size` in bytes of what was asked for, and how the clients fared.
    pub fn add(
        &self,
        board: &mut Board,
        (case, server): (&'static str, &'static str),
        link: &Relay,
        size: u64,
    ) {
        for (metric, value) in [
            (Metric::OriginBytesRatio, link.bytes() as f64 / size as f64),
            (Metric::OriginRequests, blob_gets(link) as f64),
            (Metric::Seconds, self.took.as_secs_f64()),
            (Metric::Failed, f64::from(self.failed)),
        ] {
            board.add(case, server, metric, value);
        }
    }
}

/// GETs of blobs that crossed the link.
#[must_use]
pub fn blob_gets(link: &Relay) -> u64 {
    let requests = link.requests();
    let blobs = requests
        .iter()
        .filter(|((method, path), _)| method == "GET" && path.contains("/blobs/"));
    blobs.map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    async fn client(number: u32) -> Result<()> {
        match number {
            0 => Ok(()),
            1 => bail!("a wrong byte"),
            2 => panic!("a client that panics is a client that failed"),
            _ => std::future::pending().await,
        }
    }

    #[tokio::test]
    async fn every_client_is_counted() {
        let burst = gather([0, 1, 0, 2, 0].map(client), Duration::from_secs(60)).await;
        assert_eq!((burst.done, burst.failed), (3, 2), "{burst:?}");
        assert!(burst.took < Duration::from_secs(60), "{burst:?}");
        let burst = gather([0, 1].map(client), Duration::from_secs(60)).await;
        assert_eq!(burst.why.as_deref(), Some("a wrong byte"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_given_up_at_its_bound() {
        let bound = Duration::from_secs(60);
        let burst = gather([0, 9, 9].map(client), bound).await;
        assert_eq!((burst.done, burst.failed), (1, 2), "{burst:?}");
        assert_eq!(burst.took, bound);
        assert!(burst.why.is_some_and(|why| why.starts_with("2 clients")));
    }
}
