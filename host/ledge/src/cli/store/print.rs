//! How these commands print.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use ledge_console::{BinaryBytes, Edge, ProgressBar, Table};
use ledge_tend::{Event, Finding, Gone, Report, Row};

/// How many rows are aligned together: who lists more sees the first ones before the last are known.
const ROWS: usize = 1000;

const COLUMNS: [(&str, Edge); 6] = [
    ("IMAGE", Edge::Left),
    ("DIGEST", Edge::Left),
    ("OBJECTS", Edge::Right),
    ("STORED", Edge::Right),
    ("CHECKED", Edge::Right),
    ("USED", Edge::Right),
];

/// How many digits of a digest a table shows.
const DIGITS: usize = 12;

/// Prints what is told while a command runs.
pub(super) struct Printer {
    json: bool,
    rows: Vec<Row>,
    bar: Option<ProgressBar>,
    now: u64,
}

impl Printer {
    /// `work` is what the bar says, where there is one.
    pub(super) fn new(json: bool, work: Option<&'static str>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let bar = work.filter(|_| io::stderr().is_terminal());
        Self {
            json,
            rows: Vec::new(),
            bar: bar.map(|work| ledge_console::bar(0).with_message(work)),
            now: now.map_or(0, |now| now.as_secs()),
        }
    }

    /// Something is told.
    pub(super) fn tell(&mut self, event: Event) -> Result<(), Gone> {
        match event {
            Event::Progress { done, of } => {
                if let Some(bar) = &self.bar {
                    bar.set_length(of);
                    bar.set_position(done);
                }
                Ok(())
            }
            event if self.json => self.line(&json(&event)),
            Event::Image(row) => {
                self.rows.push(row);
                if self.rows.len() >= ROWS {
                    return self.flush();
                }
                Ok(())
            }
            Event::Finding(finding) => self.line(&told(&finding)),
        }
    }

    /// Prints the rest, and the report: as JSON, or as what `text` makes of it.
    pub(super) fn finish(mut self, report: &Report, text: impl FnOnce() -> String) -> Result<()> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.json {
            let text = serde_json::to_string(report)?;
            return super::super::print(|out| writeln!(out, "{text}"));
        }
        // Nobody reads any more: then nobody reads the report.
        if self.flush().is_ok() {
            super::super::print(|out| out.write_all(text().as_bytes()))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Gone> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(COLUMNS);
        for row in self.rows.drain(..) {
            table.row(cells(&row, self.now));
        }
        write(&table.text())
    }

    fn line(&self, text: &str) -> Result<(), Gone> {
        match &self.bar {
            Some(bar) => bar.suspend(|| write(&format!("{text}\n"))),
            None => write(&format!("{text}\n")),
        }
    }
}

/// A reader that has seen enough (`| head`) ends the command.
fn write(text: &str) -> Result<(), Gone> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|_| Gone)
}

fn json(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

fn cells(row: &Row, now: u64) -> [String; 6] {
    let digits = row.digest.split_once(':').map_or("", |(_, digits)| digits);
    let since = |time: Option<u64>| time.map_or("-".to_owned(), |time| ago(now, time));
    let pin = if row.pinned { " (pinned)" } else { "" };
    [
        format!("{}{pin}", row.image),
        digits.chars().take(DIGITS).collect(),
        format!("{} of {}", row.stored, row.objects),
        BinaryBytes(row.bytes).to_string(),
        since(row.checked),
        since(row.used),
    ]
}

/// How long ago, in the largest unit of which there are some.
fn ago(now: u64, time: u64) -> String {
    let seconds = now.saturating_sub(time);
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let unit = units.iter().find(|(length, _)| seconds >= *length);
    match unit {
        Some((length, unit)) => format!("{} {unit}", seconds / length),
        None => format!("{seconds} s"),
    }
}

fn told(finding: &Finding) -> String {
    let wrong = match finding.wrong {
        ledge_tend::Wrong::Digest => "its bytes are others",
        ledge_tend::Wrong::Unreadable => "it cannot be read",
        ledge_tend::Wrong::Stranger => "this is no object",
        ledge_tend::Wrong::Unknown => "the index did not know it",
        ledge_tend::Wrong::Missing => "it is not there, and the index knew it",
        ledge_tend::Wrong::Size => "the index had another size",
    };
    format!("{}: {wrong}; {}", finding.what, finding.done)
}

/// `1 image`, `2 images`.
pub(super) fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// A size.
pub(super) fn bytes(number: u64) -> String {
    BinaryBytes(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (7199, "1 h"),
            (86_400 * 400, "400 d"),
        ];
        for (seconds, text) in table {
            assert_eq!(ago(86_400 * 1000, 86_400 * 1000 - seconds), text);
        }
        assert_eq!(ago(1, 2), "0 s");
    }

    #[test]
    fn an_image_is_a_row() {
        let row = Row {
            image: "docker.io/library/a:v1".to_owned(),
            digest: format!("sha256:{}", "0a".repeat(32)),
            media_type: String::new(),
            objects: 4,
            stored: 3,
            bytes: 2048,
            checked: None,
            used: Some(940),
            pinned: true,
        };
        let expected = [
            "docker.io/library/a:v1 (pinned)",
            "0a0a0a0a0a0a",
            "3 of 4",
            "2.00 KiB",
            "-",
            "1 min",
        ];
        assert_eq!(cells(&row, 1000), expected);
    }
}
