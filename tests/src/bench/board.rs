//! What was measured: series of values.

use anyhow::Result;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Requests a second.
    Requests,
    /// Megabytes (10⁶ bytes) of bodies a second.
    Throughput,
    /// Bytes of bodies that left the origin's side of the link, by the bytes of the image.
    OriginBytesRatio,
    /// Requests for blobs that reached the origin.
    OriginRequests,
    /// Until the last client was done.
    Seconds,
    /// Milliseconds within which half of the answers came.
    P50Ms,
    /// Milliseconds within which 99 of 100 answers came.
    P99Ms,
    /// That beside other work, by that without.
    P99ToIdle,
    /// Clients that did not get every byte right in time.
    Failed,
    /// Milliseconds to the first byte of a body beyond those of the origin itself.
    AddedMs,
    /// Time through a mirror by the time over the same link without one.
    TimeRatioToDirect,
    /// A fast reader's time among slow ones by its time alone.
    FastRatio,
    /// The most of RssAnon + RssShmem that all processes of a server had.
    PeakMib,
    /// The most that a store took of the disk, by its bound.
    DiskRatio,
    /// Requests a second by those of the smallest store.
    RateToSmall,
    /// From the start of the process to its first answer, after one that ended well.
    StartSeconds,
    /// The same, after one that was killed.
    StartAfterKill,
    /// What a server read from the disk, because no memory had it.
    ReadMib,
    /// What [`Self::PeakMib`] is above that of the smallest store.
    MemoryOverSmall,
    /// Megabytes a second of what was not stored.
    ColdThroughput,
    /// Throughput by that of the bucket, without anything between it and the client.
    RateToBucket,
    /// Throughput by that of a bare proxy in front of the same bucket.
    RateToProxy,
    /// The most linear memory that one instance of the component had.
    GuestMib,
    /// The most memory that the host's process had, files' pages too: `VmHWM`.
    HighWaterMib,
    /// Seconds of processors' time, of a server and of nobody else, for each GB (10⁹ bytes) that it sent.
    CpuPerGb,
    /// 1 if the client got the right bytes.
    Right,
    /// 1 if the right bytes were stored.
    StoredRight,
    /// 1 if wrong bytes were stored.
    StoredWrong,
}

/// How a metric is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels {
    /// `origin_bytes_ratio`
    pub name: &'static str,
    /// `req/s`
    pub unit: &'static str,
    /// Digits after the point: more than the rounds agree on would be noise.
    pub digits: usize,
}

impl Metric {
    /// Its name, unit and precision in reports.
    #[must_use]
    pub fn labels(self) -> Labels {
        let (name, unit, digits) = match self {
            Self::Requests => ("requests", "req/s", 1),
            Self::Throughput => ("throughput", "MB/s", 1),
            Self::OriginBytesRatio => ("origin_bytes_ratio", "ratio", 5),
            Self::OriginRequests => ("origin_requests", "requests", 0),
            Self::Seconds => ("seconds", "s", 3),
            Self::P50Ms => ("p50_ms", "ms", 3),
            Self::P99Ms => ("p99_ms", "ms", 3),
            Self::P99ToIdle => ("p99_to_idle", "ratio", 2),
            Self::Failed => ("failed", "clients", 0),
            Self::AddedMs => ("added_ms", "ms", 3),
            Self::TimeRatioToDirect => ("time_ratio_to_direct", "ratio", 4),
            Self::FastRatio => ("fast_ratio", "ratio", 4),
            Self::PeakMib => ("peak_mib", "MiB", 1),
            Self::DiskRatio => ("disk_ratio", "ratio", 4),
            Self::RateToSmall => ("rate_to_small", "ratio", 3),
            Self::StartSeconds => ("start_s", "s", 3),
            Self::StartAfterKill => ("start_after_kill_s", "s", 3),
            Self::ReadMib => ("read_mib", "MiB", 1),
            Self::MemoryOverSmall => ("memory_over_small_mib", "MiB", 1),
            Self::ColdThroughput => ("cold_throughput", "MB/s", 1),
            Self::RateToBucket => ("rate_to_bucket", "ratio", 3),
            Self::RateToProxy => ("rate_to_proxy", "ratio", 3),
            Self::GuestMib => ("guest_mib", "MiB", 2),
            Self::HighWaterMib => ("high_water_mib", "MiB", 1),
            Self::CpuPerGb => ("cpu_s_per_gb", "s/GB", 3),
            Self::Right => ("right", "0/1", 0),
            Self::StoredRight => ("stored_right", "0/1", 0),
            Self::StoredWrong => ("stored_wrong", "0/1", 0),
        };
        Labels { name, unit, digits }
    }
}

/// The values of one metric, one a round.
#[derive(Debug, Clone)]
pub struct Series {
    /// The case's name.
    pub case: &'static str,
    /// Which fault, where the case has many.
    pub fault: Option<&'static str>,
    /// The server's name.
    pub server: &'static str,
    /// What was measured.
    pub metric: Metric,
    /// In the order of the rounds.
    pub values: Vec<f64>,
}

impl Series {
    fn is(&self, other: &Self) -> bool {
        (self.case, self.fault, self.server, self.metric)
            == (other.case, other.fault, other.server, other.metric)
    }
}

/// Collects values as they come.
#[derive(Debug, Clone, Default)]
pub struct Board(Vec<Series>);

impl Board {
    /// Adds the value of one more round.
    pub fn add(&mut self, case: &'static str, server: &'static str, metric: Metric, value: f64) {
        self.push(Series {
            case,
            fault: None,
            server,
            metric,
            values: vec![value],
        });
    }

    /// Counts whether a round failed, and tells why.
    pub fn failed<T>(&mut self, case: &'static str, server: &'static str, round: &Result<T>) {
        if let Err(error) = round {
            eprintln!("{case}: {server} FAILED: {error:#}");
        }
        let failed = u8::from(round.is_err());
        self.add(case, server, Metric::Failed, f64::from(failed));
    }

    /// Adds values to the series that is alike, or begins one.
    pub fn push(&mut self, series: Series) {
        match self.0.iter_mut().find(|known| known.is(&series)) {
            Some(known) => known.values.extend(series.values),
            None => self.0.push(series),
        }
    }

    /// All of them, in the order in which they began.
    #[must_use]
    pub fn series(self) -> Vec<Series> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_metric_are_one_series() {
        let mut board = Board::default();
        board.add("cold", "ledge", Metric::Seconds, 1.0);
        board.add("cold", "nginx", Metric::Seconds, 2.0);
        board.add("cold", "ledge", Metric::Seconds, 3.0);
        board.push(Series {
            case: "cold",
            fault: Some("reset"),
            server: "ledge",
            metric: Metric::Seconds,
            values: vec![4.0],
        });
        let values: Vec<Vec<f64>> = board.series().into_iter().map(|one| one.values).collect();
        assert_eq!(values, [vec![1.0, 3.0], vec![2.0], vec![4.0]]);
    }
}
