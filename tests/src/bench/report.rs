//! Medians, spreads and ratios, for people and for programs.

use serde_json::json;

use super::Series;

/// What other servers are compared with.
const YARDSTICK: &str = "hyper";

/// The middle, the least and the most of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The middle value; between two, their mean.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Summary {
    /// `None` of no values.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self {
            median: f64::midpoint(low, high),
            min,
            max,
        })
    }
}

/// One JSON object a line: `case`, `server`, `metric`, `unit`, `median`, `min`, `max`, `rounds`.
#[must_use]
pub fn json(series: &[Series]) -> String {
    let line = |one: &Series| {
        let summary = Summary::of(&one.values)?;
        let (metric, unit) = one.metric.labels();
        let line = json!({
            "case": one.case, "server": one.server, "metric": metric, "unit": unit, "median": round(summary.median),
            "min": round(summary.min), "max": round(summary.max), "rounds": one.values.len(),
        });
        Some(format!("{line}\n"))
    };
    series.iter().filter_map(line).collect()
}

/// A table with the ratio of each median to the yardstick's.
#[must_use]
pub fn table(series: &[Series]) -> String {
    let mut text = format!(
        "{:<20} {:<10} {:>12} {:>12} {:>12} {:<6} {:>9}\n",
        "case", "server", "median", "min", "max", "unit", "to hyper"
    );
    for one in series {
        let Some(summary) = Summary::of(&one.values) else {
            continue;
        };
        text.push_str(&format!(
            "{:<20} {:<10} {:>12.0} {:>12.0} {:>12.0} {:<6} {:>9}\n",
            one.case,
            one.server,
            summary.median,
            summary.min,
            summary.max,
            one.metric.labels().1,
            ratio(series, one).map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        ));
    }
    text
}

fn ratio(series: &[Series], one: &Series) -> Option<f64> {
    let same = |other: &&Series| {
        other.case == one.case && other.metric == one.metric && other.server == YARDSTICK
    };
    let yardstick = Summary::of(&series.iter().find(same)?.values)?;
    Some(Summary::of(&one.values)?.median / yardstick.median)
}

/// More digits than the rounds agree on would be noise.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Metric;

    fn series(server: &'static str, values: &[f64]) -> Series {
        Series {
            case: "a-case",
            server,
            metric: Metric::Requests,
            values: values.to_vec(),
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(
            Summary::of(&[3.0, 1.0, 2.0]),
            Some(Summary {
                median: 2.0,
                min: 1.0,
                max: 3.0
            })
        );
        assert_eq!(
            Summary::of(&[4.0, 1.0]),
            Some(Summary {
                median: 2.5,
                min: 1.0,
                max: 4.0
            })
        );
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn reports_say_what_was_measured() {
        let both = [
            series("ledge", &[50.0, 52.0, 51.0]),
            series("hyper", &[100.0, 102.0, 104.0]),
        ];
        let json = json(&both);
        assert_eq!(json.lines().count(), 2);
        let first: serde_json::Value =
            serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
        let expected = serde_json::json!({
            "case": "a-case", "server": "ledge", "metric": "requests", "unit": "req/s",
            "median": 51.0, "min": 50.0, "max": 52.0, "rounds": 3,
        });
        assert_eq!(first, expected);
        assert!(
            table(&both)
                .lines()
                .nth(1)
                .is_some_and(|line| line.ends_with("0.50")),
            "{}",
            table(&both)
        );
    }
}
