//! `ledge fsck`.

use anyhow::Result;
use bytesize::ByteSize;
use ledge_tend::{Command, Fsck, FsckReport, RATE, Report};

use super::print::{Printer, bytes, count};
use super::session::Session;
use super::{Coded, StoreArgs, is_unread};

/// How to verify.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Bytes to read a second at most; 0 for as many as it goes
    ///
    /// The default is half of what a hard disk reads, and costs a quarter of a core.
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(RATE))]
    rate: ByteSize,

    /// Delete what is wrong, and keep nothing of it in quarantine
    #[arg(long)]
    delete: bool,

    #[command(flatten)]
    store: StoreArgs,
}

/// Something was wrong, and is not any more.
const WRONG: u8 = 1;

/// Nobody can say whether something is.
const CANNOT_RUN: u8 = 2;

pub(super) fn run(args: &Args) -> Result<()> {
    let report = verify(args).map_err(|error| match is_unread(&error) {
        true => error,
        false => Coded {
            code: CANNOT_RUN,
            message: format!("{error:#}"),
        }
        .into(),
    })?;
    if report.wrong == 0 {
        return Ok(());
    }
    Err(Coded {
        code: WRONG,
        message: format!("{} wrong, and put right", things(report.wrong)),
    }
    .into())
}

fn things(number: u64) -> String {
    match number {
        1 => "1 thing was".to_owned(),
        _ => format!("{number} things were"),
    }
}

fn verify(args: &Args) -> Result<FsckReport> {
    let command = Command::Fsck(Fsck {
        rate: args.rate.as_u64(),
        delete: args.delete,
    });
    let session = Session::open(&args.store)?;
    let mut printer = Printer::new(args.store.json, Some("verifying"));
    let report = session.run(&command, &mut |event| printer.tell(event))?;
    let Report::Fsck(fsck) = &report else {
        anyhow::bail!("the mirror's answer is that to another command");
    };
    printer.finish(&report, || text(fsck))?;
    Ok(*fsck)
}

fn text(report: &FsckReport) -> String {
    let verified = format!(
        "{}, {} verified",
        count(report.objects, "object"),
        bytes(report.bytes)
    );
    if report.wrong == 0 {
        return format!("{verified}; nothing is wrong\n");
    }
    format!(
        "{verified}; {} damaged, {} in quarantine\n",
        report.damaged, report.quarantined
    )
}
