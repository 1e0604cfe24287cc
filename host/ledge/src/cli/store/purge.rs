//! `ledge purge`.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};
use ledge_tend::{Command, Purge, PurgeReport, Report};

use super::print::{Printer, bytes, count};
use super::session::Session;
use super::{Coded, SelectArgs, StoreArgs};

/// What is to go.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    select: SelectArgs,

    /// Say what would go, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,

    /// Let go what is pinned, too
    #[arg(long)]
    pinned: bool,

    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let purge = |dry_run| -> Result<Purge> {
        Ok(Purge {
            selector: args.select.selector()?,
            pinned: args.pinned,
            dry_run,
        })
    };
    let dry = purge(true)?;
    let is_asked = !args.dry_run && !args.yes;
    if is_asked && !io::stdin().is_terminal() {
        return Err(Coded::refused(
            "nobody is there to be asked; see with --dry-run what would go, and then say --yes",
        )
        .into());
    }
    let session = Session::open(&args.store)?;
    if !args.yes {
        let would_go = once(args, &session, dry)?;
        let is_nothing = would_go.records == 0 && would_go.objects == 0;
        if args.dry_run || is_nothing || !agreed()? {
            return Ok(());
        }
    }
    once(args, &session, purge(false)?).map(drop)
}

/// Purges, or says what would go.
fn once(args: &Args, session: &Session, purge: Purge) -> Result<PurgeReport> {
    let is_known = !purge.dry_run && !args.yes;
    let mut printer = Printer::new(args.store.json, None);
    let report = session.run(&Command::Purge(purge), &mut |event| {
        // They were shown when it was asked.
        if is_known {
            Ok(())
        } else {
            printer.tell(event)
        }
    })?;
    let Report::Purge(purged) = &report else {
        anyhow::bail!("the mirror's answer is that to another command");
    };
    printer.finish(&report, || text(purged))?;
    Ok(*purged)
}

fn text(report: &PurgeReport) -> String {
    let go = if report.dry_run { "would go" } else { "went" };
    let mut text = format!(
        "{}, {}, {} with {} {go}",
        count(report.images, "image"),
        count(report.records, "record"),
        count(report.objects, "object"),
        bytes(report.bytes)
    );
    for (number, why) in [
        (report.needed, "needed by others"),
        (report.pinned, "pinned"),
    ] {
        if number > 0 {
            text.push_str(&format!("; {number} stay, {why}"));
        }
    }
    text.push('\n');
    text
}

fn agreed() -> Result<bool> {
    let mut err = io::stderr().lock();
    write!(err, "Shall it go? [y/N] ")
        .and_then(|()| err.flush())
        .context("cannot ask")?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
