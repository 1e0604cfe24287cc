//! `ledge stats`.

use std::fmt::Write as _;

use anyhow::Result;
use ledge_console::{Edge, Table};
use ledge_tend::{Command, Report, Stats};

use super::StoreArgs;
use super::print::{Printer, bytes, count};
use super::session::Session;

/// Of which store.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open(&args.store)?;
    let mut printer = Printer::new(args.store.json, None);
    let report = session.run(&Command::Stats {}, &mut |event| printer.tell(event))?;
    let text = || match &report {
        Report::Stats(stats) => text(stats),
        _ => String::new(),
    };
    printer.finish(&report, text)
}

fn text(stats: &Stats) -> String {
    let mut table = Table::bare([Edge::Left, Edge::Right, Edge::Left]);
    let mut row = |what: &str, size: u64, note: String| {
        table.row([what.to_owned(), bytes(size), note]);
    };
    let bound = match stats.max_size {
        Some(most) => format!("of {} at most", bytes(most)),
        None => "no bound".to_owned(),
    };
    row("the whole store", stats.used, bound);
    row("objects", stats.stored, count(stats.objects, "object"));
    row("  never evicted", stats.fixed, String::new());
    row("unfinished", stats.unfinished, String::new());
    row("promised", stats.promised, String::new());
    row("removed, still read", stats.held, String::new());
    let quarantined = count(stats.quarantined, "file");
    row("quarantine", stats.quarantined_bytes, quarantined);
    let evicted = count(stats.evicted, "object");
    row("evicted since the start", stats.evicted_bytes, evicted);
    row("kept free on the disk", stats.min_free, String::new());
    let mut text = table.text();
    for name in &stats.quarantine {
        let _ = writeln!(text, "in quarantine: {name}");
    }
    let _ = writeln!(text, "\n{}", count(stats.records, "record"));
    if !stats.upstreams.is_empty() {
        text.push_str(&upstreams(stats));
    }
    text
}

fn upstreams(stats: &Stats) -> String {
    let mut table = Table::new([
        ("UPSTREAM", Edge::Left),
        ("REPOSITORIES", Edge::Right),
        ("TAGS", Edge::Right),
        ("DIGESTS", Edge::Right),
    ]);
    for upstream in &stats.upstreams {
        table.row([
            upstream.upstream.clone(),
            upstream.repositories.to_string(),
            upstream.tags.to_string(),
            upstream.grants.to_string(),
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use ledge_tend::UpstreamStats;

    use super::*;

    #[test]
    fn numbers_are_told_with_their_bounds() {
        let stats = Stats {
            objects: 1,
            stored: 4096,
            used: 8192,
            max_size: Some(1 << 30),
            quarantined: 2,
            quarantined_bytes: 1024,
            quarantine: vec!["sha256-0a".to_owned(), "sha256-0b".to_owned()],
            records: 3,
            upstreams: vec![UpstreamStats {
                upstream: "docker.io".to_owned(),
                repositories: 1,
                tags: 2,
                grants: 30,
            }],
            ..Stats::default()
        };
        let expected = "\
the whole store          8.00 KiB  of 1.00 GiB at most
objects                  4.00 KiB  1 object
  never evicted               0 B
unfinished                    0 B
promised                      0 B
removed, still read           0 B
quarantine               1.00 KiB  2 files
evicted since the start       0 B  0 objects
kept free on the disk         0 B
in quarantine: sha256-0a
in quarantine: sha256-0b

3 records
UPSTREAM   REPOSITORIES  TAGS  DIGESTS
docker.io             1     2       30
";
        assert_eq!(text(&stats), expected);
    }
}
