//! A line for each case and server: medians, and what they are to nginx's.

use super::goals::find;
use crate::bench::board::{Metric, Series};

/// What others are compared with.
const YARDSTICK: &str = "nginx";

/// What is told, and the digits after its point.
const COLUMNS: [(Metric, &str, usize); 9] = [
    (Metric::Requests, "req/s", 0),
    (Metric::P50Ms, "p50 ms", 3),
    (Metric::P99Ms, "p99 ms", 3),
    (Metric::Throughput, "MB/s", 0),
    (Metric::CpuPerGb, "CPU s/GB", 3),
    (Metric::PeakMib, "MiB", 1),
    (Metric::ReadMib, "disk MiB", 0),
    (Metric::StartSeconds, "start s", 3),
    (Metric::P99ToIdle, "p99/idle", 2),
];

/// What a case is about: the first of these that it has.
const MAIN: [Metric; 5] = [
    Metric::P99ToIdle,
    Metric::Throughput,
    Metric::Requests,
    Metric::PeakMib,
    Metric::StartSeconds,
];

/// `x nginx` and `spread` are of what the case is about; `spread` is from the least to the most, by the median.
pub(super) fn table(series: &[Series]) -> String {
    let mut text = format!("{:<20} {:<14}", "case", "server");
    for (_, title, _) in COLUMNS {
        text.push_str(&format!(" {title:>9}"));
    }
    text.push_str(&format!(
        " {:>8} {:>8} {:>7}\n",
        "x nginx", "x p99", "spread"
    ));
    for (case, server) in rows(series) {
        let line = line(series, case, server);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// In the order in which they were measured first, the servers of a case together.
fn rows(series: &[Series]) -> Vec<(&'static str, &'static str)> {
    let mut cases: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for one in series {
        if !cases.contains(&one.case) {
            cases.push(one.case);
        }
        if !rows.contains(&(one.case, one.server)) {
            rows.push((one.case, one.server));
        }
    }
    rows.sort_by_key(|(case, _)| cases.iter().position(|known| known == case));
    rows
}

fn line(series: &[Series], case: &str, server: &str) -> String {
    let mut line = format!("{case:<20} {server:<14}");
    for (metric, _, digits) in COLUMNS {
        let cell = find(series, case, server, metric);
        let cell = cell.map_or_else(String::new, |cell| format!("{:.digits$}", cell.median));
        line.push_str(&format!(" {cell:>9}"));
    }
    let ratio = |metric| {
        let (own, other) = (
            find(series, case, server, metric)?,
            find(series, case, YARDSTICK, metric)?,
        );
        Some(format!("{:.2}", own.median / other.median))
    };
    let main = MAIN
        .into_iter()
        .find(|metric| find(series, case, server, *metric).is_some());
    let spread = main.and_then(|main| find(series, case, server, main));
    let spread = spread.map_or_else(String::new, |own| {
        format!("{:.0} %", 100.0 * (own.max - own.min) / own.median)
    });
    let failed = find(series, case, server, Metric::Failed).is_some_and(|failed| failed.max > 0.0);
    let (main, p99) = (
        main.and_then(ratio).unwrap_or_default(),
        ratio(Metric::P99Ms).unwrap_or_default(),
    );
    let failed = if failed { "  FAILED" } else { "" };
    line + &format!(" {main:>8} {p99:>8} {spread:>7}{failed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::board::Board;

    #[test]
    fn servers_stand_beside_each_other() {
        let mut board = Board::default();
        for (case, server, rate) in [
            ("a", "ledge", 50.0),
            ("b", "ledge", 1.0),
            ("a", "nginx", 100.0),
        ] {
            board.add(case, server, Metric::Requests, rate);
        }
        board.add("a", "ledge", Metric::Requests, 60.0);
        board.add("b", "ledge", Metric::Failed, 1.0);
        let text = table(&board.series());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("a                    ledge"), "{text}");
        assert!(lines[1].contains("0.55"), "{text}");
        assert!(lines[1].ends_with("18 %"), "{text}");
        assert!(
            lines[2].contains("nginx") && lines[2].contains("1.00"),
            "{text}"
        );
        assert!(lines[3].ends_with("FAILED"), "{text}");
    }
}
