//! Medians, spreads and ratios, for people and for programs.

use serde_json::json;

use super::board::{Labels, Series};

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

/// One JSON object a line: `case`, `server`, `metric`, `unit`, `median`, `min`, `max`, `rounds`,
/// and `fault` where the case has many.
#[must_use]
pub fn json(series: &[Series]) -> String {
    let line = |one: &Series| {
        let summary = Summary::of(&one.values)?;
        let labels = one.metric.labels();
        let round = |value| round(value, labels.digits);
        let mut line = json!({
            "case": one.case, "server": one.server, "metric": labels.name, "unit": labels.unit,
            "median": round(summary.median), "min": round(summary.min), "max": round(summary.max),
            "rounds": one.values.len(),
        });
        if let Some(fault) = one.fault {
            line["fault"] = fault.into();
        }
        Some(format!("{line}\n"))
    };
    series.iter().filter_map(line).collect()
}

/// A table with the ratio of each median to the yardstick's, if there is one.
#[must_use]
pub fn table(series: &[Series]) -> String {
    let mut text = format!(
        "{:<20} {:<14} {:<20} {:>12} {:>12} {:>12} {:<8} {:>9}\n",
        "case", "server", "metric", "median", "min", "max", "unit", "to hyper"
    );
    for one in series {
        let Some(summary) = Summary::of(&one.values) else {
            continue;
        };
        let Labels { name, unit, digits } = one.metric.labels();
        let line = format!(
            "{:<20} {:<14} {name:<20} {:>12.digits$} {:>12.digits$} {:>12.digits$} {unit:<8} {:>9}",
            one.case,
            one.server,
            summary.median,
            summary.min,
            summary.max,
            ratio(series, one).map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        );
        text.push_str(line.trim_end());
        text.push('\n');
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

fn round(value: f64, digits: usize) -> f64 {
    let tens = (0..digits).fold(1.0, |tens, _| tens * 10.0);
    (value * tens).round() / tens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::board::Metric;

    fn series(server: &'static str, values: &[f64]) -> Series {
        Series {
            case: "a-case",
            fault: None,
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

    #[test]
    fn every_metric_has_its_own_precision() {
        let mut one = series("ledge", &[1.000_449]);
        one.metric = Metric::OriginBytesRatio;
        one.fault = Some("reset");
        let line: serde_json::Value =
            serde_json::from_str(json(&[one]).trim()).expect("one line of JSON");
        assert_eq!(line["median"], 1.00045);
        assert_eq!(line["fault"], "reset");
        assert!((round(57.66, 1) - 57.7).abs() < 1e-9);
        assert!((round(2.6, 0) - 3.0).abs() < 1e-9);
    }
}
