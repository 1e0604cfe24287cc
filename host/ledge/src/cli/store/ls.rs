//! `ledge ls`.

use anyhow::Result;
use ledge_tend::{Command, Report};

use super::print::{Printer, count};
use super::session::Session;
use super::{SelectArgs, StoreArgs};

/// Which images.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    select: SelectArgs,

    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let command = Command::List(args.select.selector()?);
    let session = Session::open(&args.store)?;
    let mut printer = Printer::new(args.store.json, None);
    let report = session.run(&command, &mut |event| printer.tell(event))?;
    let text = || match &report {
        Report::List(listed) => format!("{}\n", count(listed.images, "image")),
        _ => String::new(),
    };
    printer.finish(&report, text)
}
