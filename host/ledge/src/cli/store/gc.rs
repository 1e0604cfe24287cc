//! `ledge gc`.

use anyhow::Result;
use ledge_console::{Edge, Table};
use ledge_tend::{Command, GcReport, Report};

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
    let mut printer = Printer::new(args.store.json, Some("collecting"));
    let report = session.run(&Command::Gc {}, &mut |event| printer.tell(event))?;
    let text = || match &report {
        Report::Gc(report) => text(report),
        _ => String::new(),
    };
    printer.finish(&report, text)
}

fn text(report: &GcReport) -> String {
    let mut table = Table::bare([Edge::Left, Edge::Right, Edge::Right]);
    let mut row = |what: &str, number: String, size: Option<u64>| {
        table.row([what.to_owned(), number, size.map(bytes).unwrap_or_default()]);
    };
    row("unfinished", String::new(), Some(report.leftovers));
    let records = report.expired;
    row("too old or too many", count(records, "record"), None);
    let dangling = count(report.dangling, "record");
    row("of objects that are not there", dangling, None);
    let unreached = count(report.unreached, "object");
    row("of no image", unreached, Some(report.unreached_bytes));
    let evicted = count(report.evicted, "object");
    row("evicted", evicted, Some(report.evicted_bytes));
    table.text()
}
