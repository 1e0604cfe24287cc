//! Which endpoints of an upstream are well: a circuit breaker for each, as a value.
//!
//! Closed: requests go there. Open: it failed several times in a row, and is left
//! alone for a while that doubles with each failure. Half open: that time is over,
//! and one request may find out.

use crate::record::{lines, number};

/// So many failures in a row open a breaker: Envoy's default for outlier detection
/// (`consecutive_5xx`). One lost connection is no outage, nor are the few requests
/// that were under way when an endpoint restarted.
const FAILURES_TO_OPEN: u32 = 5;

/// How long an endpoint is left alone at first, in seconds: as long as it may take
/// to find out that it cannot be connected to, so that at most half of the time goes
/// into waiting for it.
const FIRST_WAIT: u64 = 5;

/// How long it is left alone at most, in seconds: a minute after an origin is well
/// again everybody notices.
const MOST_WAIT: u64 = 60;

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered.
    Answered,
    /// There was no connection, no answer in time, or the endpoint says that it failed.
    Failed,
}

impl Outcome {
    /// What an answer with this status says of the endpoint's health. 5xx is failure.
    /// All else is not, 4xx among it: who refuses is well. 429 is the quota's affair.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            500..=599 => Self::Failed,
            _ => Self::Answered,
        }
    }
}

/// What is to be done with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Requests go there.
    Closed,
    /// One request may go there; whoever takes it records [`Health::probed`] first.
    HalfOpen,
    /// It is left alone.
    Open {
        /// Until when, in seconds since the epoch.
        until: u64,
    },
}

/// What is known of an endpoint. The default is that it is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Failures in a row.
    failures: u32,
    /// The last of them, or the last probe, in seconds since the epoch.
    since: u64,
}

impl Health {
    /// What is known after a try that ended at `now`. Any answer closes the breaker.
    #[must_use]
    pub const fn after(self, outcome: Outcome, now: u64) -> Self {
        match outcome {
            Outcome::Answered => Self {
                failures: 0,
                since: 0,
            },
            Outcome::Failed => Self {
                failures: self.failures.saturating_add(1),
                since: now,
            },
        }
    }

    /// What is known while somebody tries a half-open endpoint: for others it is open
    /// for another wait. A probe that is never heard of again is followed by the next.
    #[must_use]
    pub const fn probed(self, now: u64) -> Self {
        Self {
            failures: self.failures,
            since: now,
        }
    }

    /// What is to be done at `now`. A failure from the future opens nothing: the clock
    /// was wrong then or is wrong now, and a probe sets it right.
    #[must_use]
    pub const fn circuit(self, now: u64) -> Circuit {
        if self.failures < FAILURES_TO_OPEN {
            return Circuit::Closed;
        }
        let wait = self.wait();
        match now.checked_sub(self.since) {
            Some(age) if age < wait => Circuit::Open {
                until: self.since.saturating_add(wait),
            },
            _ => Circuit::HalfOpen,
        }
    }

    /// Doubles with each failure.
    const fn wait(self) -> u64 {
        let more = self.failures.saturating_sub(FAILURES_TO_OPEN);
        // Eight doublings of a second are more than the most.
        let more = if more < 8 { more } else { 8 };
        let wait = FIRST_WAIT << more;
        if wait < MOST_WAIT { wait } else { MOST_WAIT }
    }

    /// The record as bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        format!("h1\n{}\n{}", self.failures, self.since).into_bytes()
    }

    /// The record, if the bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [failures, since] = lines(bytes, "h1")?;
        Some(Self {
            failures: number(failures)?.try_into().ok()?,
            since: number(since)?,
        })
    }
}

/// In which order endpoints are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Their indices: the closed ones, then the half-open ones, then the open ones,
    /// each as they are configured. Open ones are among them because a mirror that
    /// has no copy must ask somebody. Who has a copy stops before those.
    pub tries: Vec<usize>,
    /// How many of `tries` are closed or half open.
    pub hopeful: usize,
    /// A half-open endpoint that comes after a closed one, and so would never be
    /// tried: to be asked beside the request, so that it gets its place back.
    pub probe: Option<usize>,
}

/// The order of an upstream's endpoints at `now`, as they are configured: best first.
#[must_use]
pub fn order(endpoints: &[Health], now: u64) -> Order {
    let rank = |health: &Health| match health.circuit(now) {
        Circuit::Closed => 0,
        Circuit::HalfOpen => 1,
        Circuit::Open { .. } => 2,
    };
    let ranks: Vec<u8> = endpoints.iter().map(rank).collect();
    let mut tries: Vec<usize> = (0..ranks.len()).collect();
    // The sort is stable.
    tries.sort_by_key(|index| ranks[*index]);
    let closed = ranks.contains(&0);
    Order {
        tries,
        hopeful: ranks.iter().filter(|rank| **rank < 2).count(),
        probe: ranks.iter().position(|rank| *rank == 1).filter(|_| closed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Circuit::{Closed, HalfOpen, Open};
    use proptest::prelude::*;

    const NOW: u64 = 1_000_000;

    fn failed(times: u32, since: u64) -> Health {
        let well = Health::default();
        (0..times).fold(well, |health, _| health.after(Outcome::Failed, since))
    }

    #[test]
    fn opens_after_failures_in_a_row() {
        for times in 0..5 {
            assert_eq!(failed(times, NOW).circuit(NOW), Closed, "{times}");
        }
        let mended = failed(4, NOW).after(Outcome::Answered, NOW);
        assert_eq!(mended.after(Outcome::Failed, NOW).circuit(NOW), Closed);
        assert_eq!(failed(5, NOW).circuit(NOW), Open { until: NOW + 5 });
    }

    #[test]
    fn waits_double_to_a_bound() {
        for (times, wait) in [
            (5, 5),
            (6, 10),
            (7, 20),
            (8, 40),
            (9, 60),
            (10, 60),
            (100, 60),
        ] {
            let health = failed(times, NOW);
            let until = NOW + wait;
            assert_eq!(health.circuit(NOW), Open { until }, "{times}");
            assert_eq!(health.circuit(until - 1), Open { until });
            assert_eq!(health.circuit(until), HalfOpen);
            assert_eq!(health.circuit(u64::MAX), HalfOpen);
        }
        let for_ever = Health {
            failures: u32::MAX,
            since: NOW,
        };
        assert_eq!(for_ever.after(Outcome::Failed, NOW), for_ever);
        assert_eq!(for_ever.circuit(NOW), Open { until: NOW + 60 });
        assert_eq!(for_ever.circuit(NOW - 1), HalfOpen);
    }

    #[test]
    fn one_probe_at_a_time() {
        let health = failed(5, NOW);
        let later = NOW + 5;
        assert_eq!(health.circuit(later), HalfOpen);
        let probed = health.probed(later);
        assert_eq!(probed.circuit(later), Open { until: later + 5 });
        assert_eq!(probed.circuit(later + 5), HalfOpen);
        let mended = probed.after(Outcome::Answered, later + 1);
        assert_eq!(
            (mended, mended.circuit(later + 1)),
            (Health::default(), Closed)
        );
        let worse = probed.after(Outcome::Failed, later + 1);
        assert_eq!(worse.circuit(later + 1), Open { until: later + 11 });
    }

    #[test]
    fn what_is_a_failure() {
        for status in [200, 206, 301, 304, 400, 401, 403, 404, 408, 429, 499, 600] {
            assert_eq!(Outcome::of_status(status), Outcome::Answered, "{status}");
        }
        for status in [500, 501, 502, 503, 504, 599] {
            assert_eq!(Outcome::of_status(status), Outcome::Failed, "{status}");
        }
    }

    #[test]
    fn orders() {
        let (well, half, open) = (Health::default(), failed(5, NOW - 5), failed(5, NOW));
        type Row<'a> = (&'a [Health], &'a [usize], usize, Option<usize>);
        let rows: [Row<'_>; 9] = [
            (&[], &[], 0, None),
            (&[well, well], &[0, 1], 2, None),
            (&[open, well], &[1, 0], 1, None),
            (&[half, well], &[1, 0], 2, Some(0)),
            (&[well, half], &[0, 1], 2, Some(1)),
            (&[open, half, well, half], &[2, 1, 3, 0], 3, Some(1)),
            (&[half, open], &[0, 1], 1, None),
            (&[open, half], &[1, 0], 1, None),
            (&[open, open], &[0, 1], 0, None),
        ];
        for (endpoints, tries, hopeful, probe) in rows {
            let expected = Order {
                tries: tries.to_vec(),
                hopeful,
                probe,
            };
            assert_eq!(order(endpoints, NOW), expected, "{endpoints:?}");
        }
    }

    #[test]
    fn other_records_are_as_if_not_there() {
        for text in [
            "",
            "h1",
            "h2\n1\n2",
            "h1\n1",
            "h1\n+1\n2",
            "h1\n4294967296\n2",
            "h1\n1\n2\n",
        ] {
            assert_eq!(Health::decode(text.as_bytes()), None, "{text:?}");
        }
    }

    fn health() -> impl Strategy<Value = Health> {
        let since = NOW - 100..NOW + 100;
        (0_u32..12, since).prop_map(|(failures, since)| Health { failures, since })
    }

    proptest! {
        #[test]
        fn records_round_trip(failures: u32, since: u64) {
            let health = Health { failures, since };
            prop_assert_eq!(Health::decode(&health.encode()), Some(health));
        }

        #[test]
        fn garbage_is_no_record(bytes: Vec<u8>) {
            let _ = Health::decode(&bytes);
        }

        #[test]
        fn nobody_waits_for_longer_than_a_minute(failures: u32, since: u64, now: u64) {
            if let Open { until } = (Health { failures, since }).circuit(now) {
                prop_assert!(now < until && until - now <= MOST_WAIT);
            }
        }

        #[test]
        fn everybody_is_in_the_order_once(endpoints in proptest::collection::vec(health(), 0..8)) {
            let order = order(&endpoints, NOW);
            let mut indices = order.tries.clone();
            indices.sort_unstable();
            prop_assert_eq!(indices, (0..endpoints.len()).collect::<Vec<_>>());
            let is_open = |index: &usize| matches!(endpoints[*index].circuit(NOW), Open { .. });
            let (hopeful, rest) = order.tries.split_at(order.hopeful);
            prop_assert!(!hopeful.iter().any(is_open) && rest.iter().all(is_open));
        }
    }
}
