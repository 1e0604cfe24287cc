//! What a load came to, and what of it is told.

use std::time::Duration;

use crate::bench::board::{Board, Metric};

/// What came in a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) requests: u64,
    /// Of header fields, too, where they are counted.
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    /// Half of the answers took no longer.
    pub(super) p50_ms: Option<f64>,
    /// 99 of 100 answers took no longer.
    pub(super) p99_ms: Option<f64>,
}

/// From so many bytes an answer on, they and not the answers are what counts.
const BULK: u64 = 32 << 10;

impl Seen {
    fn is_bulk(&self) -> bool {
        self.bytes / self.requests.max(1) >= BULK
    }

    /// Enters it with what the server needed of the processors for it.
    pub(super) fn enter(
        &self,
        board: &mut Board,
        (case, server): (&'static str, &'static str),
        processor: Duration,
    ) {
        let mut add = |metric, value| board.add(case, server, metric, value);
        add(Metric::Requests, self.requests as f64 / self.seconds);
        if let Some(p50) = self.p50_ms {
            add(Metric::P50Ms, p50);
        }
        if let Some(p99) = self.p99_ms {
            add(Metric::P99Ms, p99);
        }
        if self.is_bulk() {
            let bytes = self.bytes as f64;
            add(Metric::Throughput, bytes / 1e6 / self.seconds);
            add(Metric::CpuPerGb, processor.as_secs_f64() / (bytes / 1e9));
        }
    }

    /// A line of progress.
    pub(super) fn told(&self) -> String {
        let rate = self.requests as f64 / self.seconds;
        let throughput = self.bytes as f64 / 1e6 / self.seconds;
        let p99 = self
            .p99_ms
            .map_or_else(String::new, |p99| format!(", p99 {p99:.3} ms"));
        format!("{rate:.0} requests a second, {throughput:.0} MB/s{p99}")
    }
}
