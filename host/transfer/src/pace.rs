//! How fast bytes are taken from origins: from all together, and from each.
//!
//! Whoever has read bytes waits until they are paid for, and only then reads on; the connection's
//! window slows the origin down. `governor` would refuse more at once than its burst, which an
//! origin's frame may exceed, and let those who wait race for each turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What may pass at once after a pause, in time: enough that a timer's millisecond or a late
/// wake-up loses nothing, too little to be felt by whoever shares the link.
const BURST: Duration = Duration::from_millis(250);

/// Bytes a second at most, or no limit. Clones share them.
#[derive(Clone)]
struct Pace(Option<Arc<Limit>>);

struct Limit {
    bytes_per_second: u64,
    /// When the bytes that were taken so far are paid for: "theoretical arrival time" in the
    /// generic cell rate algorithm (ITU-T I.371).
    paid: Mutex<Instant>,
}

impl Pace {
    /// 0 is no limit.
    fn new(bytes_per_second: u64) -> Self {
        Self((bytes_per_second > 0).then(|| Limit::new(bytes_per_second)))
    }

    /// Counts `n` bytes: until when to wait, if at all.
    fn count(&self, n: usize) -> Option<Instant> {
        self.0.as_ref()?.count(n)
    }
}

impl Limit {
    fn new(bytes_per_second: u64) -> Arc<Self> {
        Arc::new(Self {
            bytes_per_second,
            paid: Mutex::new(Instant::now()),
        })
    }

    fn count(&self, n: usize) -> Option<Instant> {
        let now = Instant::now();
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        *paid = now.max(*paid) + self.cost(n);
        let ahead = paid.duration_since(now).checked_sub(BURST)?;
        Some(now + ahead)
    }

    /// How long `n` bytes take, rounded up so that the limit is never exceeded.
    fn cost(&self, n: usize) -> Duration {
        let nanoseconds = (n as u128 * 1_000_000_000).div_ceil(u128::from(self.bytes_per_second));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    fn is_paid(&self) -> bool {
        *self.paid.lock().unwrap_or_else(PoisonError::into_inner) <= Instant::now()
    }
}

/// The paces of the host and of each origin. Clones share them.
#[derive(Clone)]
pub(crate) struct Paces {
    host: Pace,
    per_origin: u64,
    /// Those in use, and those that are not paid for yet: an origin of many small objects must
    /// not start anew with each.
    origins: Arc<Mutex<HashMap<String, Arc<Limit>>>>,
}

impl Paces {
    /// At most `host` bytes a second from all origins and `per_origin` from each; 0 is no limit.
    pub(crate) fn new(host: u64, per_origin: u64) -> Self {
        Self {
            host: Pace::new(host),
            per_origin,
            origins: Arc::default(),
        }
    }

    /// The pace of that origin, which obeys the host's too.
    pub(crate) fn of(&self, origin: &str) -> OriginPace {
        let host = self.host.clone();
        let origin = self.origin(origin);
        OriginPace { host, origin }
    }

    fn origin(&self, name: &str) -> Pace {
        if self.per_origin == 0 {
            return Pace(None);
        }
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = origins.get(name) {
            return Pace(Some(known.clone()));
        }
        origins.retain(|_, limit| Arc::strong_count(limit) > 1 || !limit.is_paid());
        let limit = Limit::new(self.per_origin);
        origins.insert(name.to_owned(), limit.clone());
        Pace(Some(limit))
    }
}

/// An origin's pace together with the host's. Clones share both.
#[derive(Clone)]
pub(crate) struct OriginPace {
    host: Pace,
    origin: Pace,
}

impl OriginPace {
    /// Counts `n` bytes and waits until they may pass. Who comes first passes first. Bytes stay
    /// counted if the future is dropped: they were read.
    pub(crate) async fn take(&self, n: usize) {
        let (host, origin) = (self.host.count(n), self.origin.count(n));
        // `None` is less than any instant.
        if let Some(until) = host.max(origin) {
            tokio::time::sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use futures::FutureExt;
    use futures::future::join;
    use proptest::prelude::{ProptestConfig, prop_assert, proptest};
    use tokio::time::{Instant, advance};

    use super::{BURST, OriginPace, Paces};

    /// Bytes a second that are easy to divide by.
    const MB: u64 = 1_000_000;

    /// What a timer may be late by: tokio's counts milliseconds, and rounds up.
    const TICK: Duration = Duration::from_millis(1);

    fn assert_about(took: Duration, milliseconds: u64) {
        let expected = Duration::from_millis(milliseconds);
        assert!(took >= expected, "{took:?} are less than {expected:?}");
        assert!(
            took <= expected + TICK,
            "{took:?} are more than {expected:?}"
        );
    }

    fn pace(bytes_per_second: u64) -> OriginPace {
        Paces::new(0, bytes_per_second).of("a")
    }

    async fn timed<T>(waiting: impl Future<Output = T>) -> Duration {
        let start = Instant::now();
        waiting.await;
        start.elapsed()
    }

    /// There is no runtime here, so a timer would panic.
    #[test]
    fn without_a_limit_nothing_waits() {
        let paces = Paces::new(0, 0);
        assert!(paces.of("a").take(usize::MAX).now_or_never().is_some());
        assert!(paces.origins.lock().expect("a table").is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_at_once_and_then_the_rate_holds() {
        let pace = pace(MB);
        assert_about(timed(pace.take(250_000)).await, 0);
        assert_about(timed(pace.take(100_000)).await, 100);
        let many = async {
            for _ in 0..100 {
                pace.take(50_000).await;
            }
        };
        assert_about(timed(many).await, 5000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_may_be_longer_than_a_burst() {
        let pace = pace(MB);
        assert_about(timed(pace.take(4_000_000)).await, 3750);
        assert_about(timed(pace.take(1)).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_saves_up_no_more_than_a_burst() {
        let pace = pace(MB);
        pace.take(1_000_000).await;
        advance(Duration::from_secs(3600)).await;
        assert_about(timed(pace.take(250_000)).await, 0);
        assert_about(timed(pace.take(250_000)).await, 250);
    }

    /// A frame takes 16 microseconds and a timer at least a millisecond.
    #[tokio::test(start_paused = true)]
    async fn a_fast_rate_is_reached_with_small_frames() {
        let pace = pace(1000 * MB);
        let many = async {
            for _ in 0..62_500 {
                pace.take(16_000).await;
            }
        };
        assert_about(timed(many).await, 750);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_share_a_pace_pass_in_the_order_of_coming() {
        let pace = pace(MB);
        let other = pace.clone();
        let both = join(timed(pace.take(1_250_000)), timed(other.take(1_000_000)));
        let (first, second) = both.await;
        assert_about(first, 1000);
        assert_about(second, 2000);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_count_though_nobody_waited_for_them() {
        let pace = pace(MB);
        {
            let mut dropped = pin!(pace.take(1_000_000));
            let mut context = Context::from_waker(Waker::noop());
            assert_eq!(dropped.as_mut().poll(&mut context), Poll::Pending);
        }
        assert_about(timed(pace.take(250_000)).await, 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_slower_of_host_and_origin_counts() {
        let paces = Paces::new(4 * MB, MB);
        let (a, b) = (paces.of("a"), paces.of("b"));
        // Each origin: 2 s less a burst. The host: 1 s less a burst.
        let both = join(a.take(2_000_000), b.take(2_000_000));
        assert_about(timed(both).await, 1750);
        let paces = Paces::new(MB, 4 * MB);
        let (a, b) = (paces.of("a"), paces.of("b"));
        let both = join(a.take(2_000_000), b.take(2_000_000));
        assert_about(timed(both).await, 3750);
    }

    #[tokio::test(start_paused = true)]
    async fn an_origin_is_one_pace_and_is_forgotten_when_it_is_paid_for() {
        let paces = Paces::new(0, MB);
        let names = || {
            let origins = paces.origins.lock().expect("a table");
            let mut names: Vec<_> = origins.keys().cloned().collect();
            names.sort();
            names
        };
        paces.of("a").take(1_000_000).await;
        // A burst is passed on credit, so it is not forgotten yet.
        drop(paces.of("b"));
        assert_eq!(names(), ["a", "b"]);
        assert_about(timed(paces.of("a").take(500_000)).await, 500);
        advance(BURST).await;
        let held = paces.of("c");
        assert_eq!(names(), ["c"]);
        advance(BURST).await;
        drop(paces.of("d"));
        drop(paces.of("e"));
        assert_eq!(names(), ["c", "e"]);
        drop(held);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Never faster than the limit and a burst; never slower than the limit and a tick.
        #[test]
        fn the_limit_is_kept_and_used(
            rate in 65_536_u64..10_000_000_000,
            frames in proptest::collection::vec((1_usize..500_000, 0_u64..400), 1..60),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let pace = pace(rate);
                let (start, mut passed) = (Instant::now(), 0);
                for (length, pause) in frames {
                    advance(Duration::from_millis(pause)).await;
                    let took = timed(pace.take(length)).await;
                    let alone = length as f64 / rate as f64;
                    prop_assert!(took.as_secs_f64() <= alone + TICK.as_secs_f64() + 1e-6);
                    passed += length;
                    let time = (start.elapsed() + BURST).as_secs_f64();
                    prop_assert!(passed as f64 <= rate as f64 * time + 1.0);
                }
                Ok(())
            })?;
        }
    }
}
