//! What the demonstration prints.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::pull::Pull;
use super::{Burst, Row};

/// The times and the bytes of all images.
pub(super) fn rows(rows: &[Row]) -> String {
    let mut text = format!(
        "\n{:<10} {:>8}   {:>18}   {:>18}   {:>18}\n",
        "image", "MB", "direct", "cold", "warm"
    );
    for row in rows {
        let [direct, cold, warm] = row.pulls.each_ref().map(cell);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<10} {:>8.2}   {direct:>18}   {cold:>18}   {warm:>18}",
            row.name, row.megabytes
        );
    }
    text.push_str("\nEach cell: the time of the pull, and the megabytes that left the origin.\n");
    text
}

/// What a burst cost.
pub(super) fn burst(burst: &Burst) -> String {
    format!(
        "\n{} clients at once, one cold image of {:.1} MB: {} left the origin\n",
        burst.clients,
        burst.megabytes,
        cell(&burst.pull)
    )
}

/// What each request to Ledge was.
pub(super) fn requests(rows: &[Row], burst: &Burst) -> String {
    let mut text = "\nWhat each request to Ledge was:\n".to_owned();
    for row in rows {
        let [_, cold, warm] = &row.pulls;
        let _ = writeln!(
            text,
            "{:<10} cold: {:<50} warm: {}",
            row.name,
            outcomes(cold),
            outcomes(warm)
        );
    }
    let _ = writeln!(text, "{:<10} cold: {}", "burst", outcomes(&burst.pull));
    if let Some(row) = rows
        .iter()
        .max_by(|a, b| a.megabytes.total_cmp(&b.megabytes))
    {
        let _ = writeln!(text, "\nThe {} image, request by request:", row.name);
        for (turn, pull) in ["cold", "warm"].iter().zip(&row.pulls[1..]) {
            for request in &pull.requests {
                let path = shortened(&request.path);
                let _ = writeln!(
                    text,
                    "  {turn} {:<9} {:>11} B  {} {path}",
                    request.outcome(),
                    request.bytes,
                    request.method
                );
            }
        }
    }
    text
}

fn cell(pull: &Pull) -> String {
    format!(
        "{:.2} s, {:.2} MB",
        pull.took.as_secs_f64(),
        pull.bytes as f64 / 1e6
    )
}

fn outcomes(pull: &Pull) -> String {
    let mut counts = BTreeMap::new();
    for request in &pull.requests {
        *counts.entry(request.outcome()).or_insert(0) += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    counts.join(", ")
}

/// Digests by their first twelve digits, as people read them.
fn shortened(path: &str) -> &str {
    path.find("sha256:")
        .and_then(|start| path.get(..start + "sha256:".len() + 12))
        .unwrap_or(path)
}
