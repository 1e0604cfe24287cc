//! Many clients, one cold image: how much of it crosses the slow link, and how long do they wait?

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::board::{Board, Metric, Series};
use super::far::Far;
use super::peers::{Kind, Mirror, Settings};
use super::pull::{self, Style};
use super::sample::{self, Wants};
use super::{Options, shown, told};
use crate::link::SLOW;
use crate::relay::Relay;

/// Six layers, unequal as those of a real image.
const LAYERS: [usize; 6] = [40, 25, 15, 10, 7, 3];

/// All clients start within this time.
const SPREAD: Duration = Duration::from_secs(1);

/// More rounds than this tell little, and each moves forty gigabytes over loopback.
const ROUNDS: u32 = 3;

/// No round begins when so much time is gone: a slow machine gets fewer rounds, not a longer day.
const CAP: Duration = Duration::from_secs(20 * 60);

/// A link that carries nothing for so long is at rest: ten round trips and more.
const REST: Duration = Duration::from_secs(1);

/// How long a link may take to come to rest when the clients are done.
const SETTLING: Duration = Duration::from_secs(30);

/// Measures it: Ledge up to three times, the others once, for they may take as long as they are let.
///
/// # Errors
/// If a mirror does not start.
pub async fn run(options: &Options, style: Style) -> Result<Vec<Series>> {
    let case = match style {
        Style::Whole => "coalesce",
        Style::Ranges => "coalesce-ranges",
    };
    let far = Far::start().await?;
    let total = options.megabytes as usize * 1_000_000;
    let image = sample::image(1, &sample::shares(total, &LAYERS))?;
    let wants = Arc::new(Wants::put(&far.origin, &image)?);
    let started = Instant::now();
    let mut board = Board::default();
    for round in 1..=options.rounds.min(ROUNDS) {
        for kind in &options.servers {
            let again = round > 1;
            if again && (*kind != Kind::Ledge || started.elapsed() > CAP) {
                continue;
            }
            told(case, round, kind.name(), "starts");
            let crowd = Crowd {
                clients: options.clients,
                style,
                bound: ideal(&wants) * options.patience,
            };
            let link = far.link(SLOW).await?;
            let mirror = Mirror::start(*kind, link.address(), &Settings::default()).await?;
            link.forget();
            let burst = crowd.pull(mirror.address(), &wants).await;
            // One that is given up would go on for long.
            if burst.failed == 0 {
                rest(&link).await;
            }
            told(case, round, kind.name(), &burst.told(&link));
            burst.add(&mut board, (case, kind.name()), &link, wants.size);
        }
    }
    Ok(board.series())
}

/// What the link alone needs for one image, with the second in which the clients start.
fn ideal(wants: &Wants) -> Duration {
    let seconds = SLOW
        .rate
        .map_or(0.0, |rate| wants.size as f64 / rate as f64);
    Duration::from_secs_f64(seconds) + SPREAD
}

/// Clients that start together.
struct Crowd {
    clients: u32,
    style: Style,
    bound: Duration,
}

/// What became of them.
#[derive(Debug, Default)]
struct Burst {
    took: Duration,
    done: u32,
    failed: u32,
    why: Option<String>,
}

impl Crowd {
    async fn pull(&self, address: SocketAddr, wants: &Arc<Wants>) -> Burst {
        let started = tokio::time::Instant::now();
        let mut clients = JoinSet::new();
        for number in 0..self.clients {
            let (wants, style) = (Arc::clone(wants), self.style);
            let start = started + SPREAD * number / self.clients;
            clients.spawn(async move {
                tokio::time::sleep_until(start).await;
                pull::pull(address, &wants, style).await
            });
        }
        let mut burst = Burst::default();
        while let Ok(Some(ended)) = timeout_at(started + self.bound, clients.join_next()).await {
            burst.took = started.elapsed();
            match ended.map_err(anyhow::Error::from).flatten() {
                Ok(()) => burst.done += 1,
                Err(error) => burst.why = burst.why.or_else(|| Some(format!("{error:#}"))),
            }
        }
        if !clients.is_empty() {
            burst.took = self.bound;
            let waiting = clients.len();
            burst.why.get_or_insert_with(|| {
                format!("{waiting} clients are not done after {:?}", self.bound)
            });
        }
        clients.shutdown().await;
        burst.failed = self.clients - burst.done;
        burst
    }
}

impl Burst {
    fn told(&self, link: &Relay) -> String {
        let (bytes, took) = (link.bytes(), shown(self.took));
        let why = self
            .why
            .as_ref()
            .map_or_else(String::new, |why| format!(": {why}"));
        let Self { done, failed, .. } = self;
        format!("{done} done, {failed} failed in {took}, {bytes} bytes over the link{why}")
    }

    fn add(
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

fn blob_gets(link: &Relay) -> u64 {
    let requests = link.requests();
    let blobs = requests
        .iter()
        .filter(|((method, path), _)| method == "GET" && path.contains("/blobs/"));
    blobs.map(|(_, count)| count).sum()
}

/// Waits until the link carries nothing more: what a mirror fetches after its clients counts, too.
async fn rest(link: &Relay) {
    let deadline = Instant::now() + SETTLING;
    let mut before = None;
    while before != Some(link.bytes()) && Instant::now() < deadline {
        before = Some(link.bytes());
        tokio::time::sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{FAST, Speed};
    use crate::script::{Act, Rule};

    fn crowd(clients: u32) -> Crowd {
        Crowd {
            clients,
            style: Style::Whole,
            bound: Duration::from_secs(60),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_crowd_is_counted() -> Result<()> {
        let far = Far::start().await?;
        let image = sample::image(2, &[100_000, 50_000])?;
        let wants = Arc::new(Wants::put(&far.origin, &image)?);
        let link = far.link(FAST).await?;
        let burst = crowd(4).pull(link.address(), &wants).await;
        assert_eq!((burst.done, burst.failed), (4, 0), "{burst:?}");
        assert_eq!(link.bytes(), 4 * wants.size);
        assert_eq!(blob_gets(&link), 4 * 3);
        far.origin
            .rule(Rule::new(&image.blobs[0].digest, Act::Truncate(10)).times(1));
        let burst = crowd(4).pull(link.address(), &wants).await;
        assert_eq!((burst.done, burst.failed), (3, 1), "{burst:?}");
        assert!(burst.why.is_some());
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_crowd_is_given_up_at_its_bound() -> Result<()> {
        let far = Far::start().await?;
        let image = sample::image(3, &[100_000])?;
        let wants = Arc::new(Wants::put(&far.origin, &image)?);
        let speed = Speed {
            rate: Some(1),
            ..FAST
        };
        let link = far.link(speed).await?;
        let crowd = Crowd {
            bound: Duration::from_millis(100),
            ..crowd(2)
        };
        let burst = crowd.pull(link.address(), &wants).await;
        assert_eq!((burst.failed, burst.took), (2, crowd.bound), "{burst:?}");
        Ok(())
    }
}
