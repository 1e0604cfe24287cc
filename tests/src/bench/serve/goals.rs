//! What is to be reached, and what was.

use serde_json::json;

use crate::bench::board::{Metric, Series};
use crate::bench::report::Summary;

/// What a figure must be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    Least(f64),
    Most(f64),
}

/// Where a figure comes from.
#[derive(Debug, Clone, Copy)]
enum Figure {
    /// Ledge's by nginx's.
    ToNginx(&'static str, Metric),
    /// Ledge's own.
    Own(&'static str, Metric),
    /// What an instance costs of the requests that the host answers by itself.
    Tax(&'static str),
    /// How many rounds failed.
    Failures(&'static str),
}

/// A goal and what was measured.
#[derive(Debug)]
pub(super) struct Goal {
    name: String,
    bound: Bound,
    /// `None` if that was not measured.
    value: Option<f64>,
}

/// Requests a second of manifests, by nginx's.
const SMALL: f64 = 1.25;

/// Mebibytes for 64 downloads of 100 MiB.
const MEMORY: f64 = 64.0;

/// The part of the requests a second that an instance may cost.
const TAX: f64 = 0.2;

/// Seconds from the start to the first answer.
const START: f64 = 0.1;

/// What warm answers may take beside cold transfers, by what they take alone.
const MIXED: f64 = 2.0;

/// Manifests and HEAD.
const MANIFESTS: [&str; 6] = [
    "manifest-tag-c1",
    "manifest-tag-c32",
    "manifest-digest-c1",
    "manifest-digest-c32",
    "head-c1",
    "head-c32",
];

/// What goes by bytes.
const BULK: [&str; 3] = ["blob-1m-c1", "blob-1m-c32", "blob-100m"];

fn figures() -> Vec<(Figure, Bound)> {
    let requests = |case| Figure::ToNginx(case, Metric::Requests);
    let mut figures = Vec::new();
    for case in MANIFESTS {
        figures.push((requests(case), Bound::Least(SMALL)));
        figures.push((Figure::ToNginx(case, Metric::P99Ms), Bound::Most(1.0)));
    }
    for case in ["blob-1k-c1", "blob-1k-c32"] {
        figures.push((requests(case), Bound::Least(1.0)));
    }
    for case in BULK {
        let throughput = Figure::ToNginx(case, Metric::Throughput);
        figures.push((throughput, Bound::Least(1.0)));
    }
    for case in ["blob-1m-c32", "blob-100m"] {
        let processor = Figure::ToNginx(case, Metric::CpuPerGb);
        figures.push((processor, Bound::Most(1.0)));
    }
    figures.extend([
        (Figure::Own("memory", Metric::PeakMib), Bound::Most(MEMORY)),
        (Figure::Tax("manifest-tag-c32"), Bound::Most(TAX)),
        (
            Figure::Own("start", Metric::StartSeconds),
            Bound::Most(START),
        ),
        (Figure::Own("mixed", Metric::P99ToIdle), Bound::Most(MIXED)),
        (Figure::Failures("c1000"), Bound::Most(0.0)),
    ]);
    figures
}

impl Figure {
    fn name(self) -> String {
        match self {
            Self::ToNginx(case, metric) => format!("{case} {} to nginx", metric.labels().name),
            Self::Own(case, metric) => format!("{case} {}", metric.labels().name),
            Self::Tax(case) => format!("wasm-tax of {case}"),
            Self::Failures(case) => format!("{case} failed"),
        }
    }

    /// A case that failed in any round has none.
    fn of(self, series: &[Series]) -> Option<f64> {
        let median = |case, server, metric| {
            let failed = find(series, case, server, Metric::Failed);
            let whole = failed.is_none_or(|failed| failed.max == 0.0);
            find(series, case, server, metric)
                .filter(|_| whole)
                .map(|found| found.median)
        };
        match self {
            Self::ToNginx(case, metric) => {
                Some(median(case, "ledge", metric)? / median(case, "nginx", metric)?)
            }
            Self::Own(case, metric) => median(case, "ledge", metric),
            Self::Tax(case) => {
                let instance = median(case, "ledge-instance", Metric::Requests)?;
                Some(1.0 - instance / median(case, "ledge", Metric::Requests)?)
            }
            Self::Failures(case) => {
                find(series, case, "ledge", Metric::Failed).map(|failed| failed.max)
            }
        }
    }
}

/// What is known of a case, a server and a metric.
pub(super) fn find(series: &[Series], case: &str, server: &str, metric: Metric) -> Option<Summary> {
    let is = |one: &&Series| one.case == case && one.server == server && one.metric == metric;
    Summary::of(&series.iter().find(is)?.values)
}

/// All goals, and what was reached of them.
pub(super) fn goals(series: &[Series]) -> Vec<Goal> {
    let goal = |(figure, bound): (Figure, Bound)| Goal {
        name: figure.name(),
        bound,
        value: figure.of(series),
    };
    figures().into_iter().map(goal).collect()
}

impl Goal {
    /// `None` if it was not measured, or failed.
    fn is_met(&self) -> Option<bool> {
        let value = self.value?;
        Some(match self.bound {
            Bound::Least(least) => value >= least,
            Bound::Most(most) => value <= most,
        })
    }

    fn bound(&self) -> String {
        match self.bound {
            Bound::Least(least) => format!(">= {least}"),
            Bound::Most(most) => format!("<= {most}"),
        }
    }
}

/// The goals for people.
pub(super) fn table(goals: &[Goal]) -> String {
    let mut text = format!(
        "{:<44} {:>8} {:>9}  {}\n",
        "goal", "bound", "reached", "met"
    );
    for goal in goals {
        let value = goal
            .value
            .map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        let met = match goal.is_met() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        let (name, bound) = (&goal.name, goal.bound());
        text.push_str(&format!("{name:<44} {bound:>8} {value:>9}  {met}\n"));
    }
    text
}

/// One JSON object a line: `goal`, `bound`, `reached`, `met`; the last two are null if it was not measured.
pub(super) fn json(goals: &[Goal]) -> String {
    let line = |goal: &Goal| {
        let line = json!({
            "goal": goal.name, "bound": goal.bound(), "reached": goal.value, "met": goal.is_met(),
        });
        format!("{line}\n")
    };
    goals.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::board::Board;
    use crate::bench::serve::case::LOADS;
    use crate::bench::serve::start;

    fn measured(ledge: f64, failed: f64) -> Vec<Series> {
        let mut board = Board::default();
        for (server, rate) in [("ledge", ledge), ("nginx", 100.0), ("ledge-instance", 75.0)] {
            board.add("manifest-tag-c32", server, Metric::Requests, rate);
            board.add("manifest-tag-c32", server, Metric::Failed, failed);
        }
        board.series()
    }

    fn reached(series: &[Series], name: &str) -> (Option<f64>, Option<bool>) {
        let goals = goals(series);
        let goal = goals.iter().find(|goal| goal.name == name).expect("a goal");
        (goal.value, goal.is_met())
    }

    #[test]
    fn goals_are_met_or_not_or_unknown() {
        let (rate, tax) = (
            "manifest-tag-c32 requests to nginx",
            "wasm-tax of manifest-tag-c32",
        );
        let good = measured(125.0, 0.0);
        assert_eq!(reached(&good, rate), (Some(1.25), Some(true)));
        assert_eq!(reached(&good, tax), (Some(0.4), Some(false)));
        assert_eq!(reached(&measured(124.0, 0.0), rate).1, Some(false));
        assert_eq!(reached(&measured(125.0, 1.0), rate), (None, None));
        assert_eq!(reached(&good, "start start_s"), (None, None));
        assert!(table(&goals(&good)).contains("1.250  yes"));
        assert_eq!(json(&goals(&good)).lines().count(), figures().len());
    }

    #[test]
    fn every_goal_is_about_a_load() {
        for (figure, _) in figures() {
            let (Figure::ToNginx(case, _)
            | Figure::Own(case, _)
            | Figure::Tax(case)
            | Figure::Failures(case)) = figure;
            assert!(
                case == start::CASE || LOADS.iter().any(|load| load.name == case),
                "{case}"
            );
        }
    }
}
