//! The faults table, for people.

use super::Row;
use super::seen::{Saw, Seen, Stored};

/// A line a fault and server.
pub(super) fn of(rows: &[Row]) -> String {
    let mut text = line("fault", "server", "the client saw", "stored", "origin");
    let mut before = "";
    for row in rows {
        let fault = row.fault.name;
        let first = if fault == before { "" } else { fault };
        before = fault;
        text.push_str(&line(
            first,
            row.server.name(),
            &saw(row.seen),
            stored(row.stored),
            &origin(row),
        ));
    }
    text
}

/// One row in words, for progress.
pub(super) fn told(row: &Row) -> String {
    format!(
        "{}: {}; stored: {}; origin: {}",
        row.fault.name,
        saw(row.seen),
        stored(row.stored),
        origin(row)
    )
}

fn line(fault: &str, server: &str, saw: &str, stored: &str, origin: &str) -> String {
    format!("{fault:<18} {server:<13} {saw:<20} {stored:<13} {origin}\n")
}

fn saw(seen: Seen) -> String {
    let what = match seen.saw {
        Saw::Right => "right bytes",
        Saw::Cut => "cut",
        Saw::Wrong => "WRONG BYTES",
        Saw::Hung => "hung",
        Saw::Refused => "an error",
        Saw::Redirected => "sent elsewhere",
        Saw::Left => "left",
    };
    match seen.status {
        0 => what.to_owned(),
        status => format!("{status} {what}"),
    }
}

fn stored(stored: Stored) -> &'static str {
    match stored {
        Stored::Right => "right bytes",
        Stored::Nothing => "nothing",
        Stored::Wrong => "WRONG BYTES",
    }
}

fn origin(row: &Row) -> String {
    let heads = match row.heads {
        0 => String::new(),
        heads => format!(", {heads} HEAD"),
    };
    format!("{} GET{heads}", row.gets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::faults::list::ALL;
    use crate::bench::peers::Kind;

    #[test]
    fn a_row_tells_everything() {
        let row = |server, stored| Row {
            fault: &ALL[0],
            server,
            seen: Seen {
                status: 200,
                saw: Saw::Cut,
            },
            stored,
            gets: 2,
            heads: 1,
        };
        let text = of(&[
            row(Kind::Ledge, Stored::Right),
            row(Kind::Nginx, Stored::Wrong),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>().join(" "),
            "pause ledge 200 cut right bytes 2 GET, 1 HEAD"
        );
        assert!(lines[2].starts_with(' '), "{}", lines[2]);
        assert!(lines[2].contains("WRONG BYTES"), "{}", lines[2]);
    }
}
