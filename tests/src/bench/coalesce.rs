//! Many clients, one cold image: how much of it crosses the slow link, and how long do they wait?

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::board::{Board, Series};
use super::crowd::{self, Burst};
use super::far::Far;
use super::peers::{Kind, Mirror, Settings};
use super::pull::{self, Style};
use super::sample::{self, Wants};
use super::{Options, told};
use crate::link::SLOW;

/// Six layers, unequal as those of a real image.
const LAYERS: [usize; 6] = [40, 25, 15, 10, 7, 3];

/// All clients start within this time.
const SPREAD: Duration = Duration::from_secs(1);

/// More rounds than this tell little, and each moves forty gigabytes over loopback.
const ROUNDS: u32 = 3;

/// No round begins when so much time is gone: a slow machine gets fewer rounds, not a longer day.
const CAP: Duration = Duration::from_secs(20 * 60);

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
    let image = sample::image(1, &layers(options))?;
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
            burst.settle(&link).await;
            told(case, round, kind.name(), &burst.told(&link));
            burst.add(&mut board, (case, kind.name()), &link, wants.size);
        }
    }
    Ok(board.series())
}

/// The sizes of the image's layers.
pub(super) fn layers(options: &Options) -> Vec<usize> {
    let total = options.megabytes as usize * 1_000_000;
    sample::shares(total, &LAYERS)
}

/// What the link alone needs for one image, with the second in which the clients start.
pub(super) fn ideal(wants: &Wants) -> Duration {
    let seconds = SLOW
        .rate
        .map_or(0.0, |rate| wants.size as f64 / rate as f64);
    Duration::from_secs_f64(seconds) + SPREAD
}

/// Clients that start within `SPREAD`.
struct Crowd {
    clients: u32,
    style: Style,
    bound: Duration,
}

impl Crowd {
    async fn pull(&self, address: SocketAddr, wants: &Arc<Wants>) -> Burst {
        let started = tokio::time::Instant::now();
        let client = |number| {
            let (wants, style) = (Arc::clone(wants), self.style);
            let start = started + SPREAD * number / self.clients;
            async move {
                tokio::time::sleep_until(start).await;
                pull::pull(address, &wants, style).await
            }
        };
        crowd::gather((0..self.clients).map(client), self.bound).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::FAST;
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
        assert_eq!(crowd::blob_gets(&link), 4 * 3);
        far.origin
            .rule(Rule::new(&image.blobs[0].digest, Act::Truncate(10)).times(1));
        let burst = crowd(4).pull(link.address(), &wants).await;
        assert_eq!((burst.done, burst.failed), (3, 1), "{burst:?}");
        Ok(())
    }
}
