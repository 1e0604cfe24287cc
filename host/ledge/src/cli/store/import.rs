//! `ledge import`.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result};
use ledge_tend::{Import, ImportReport, LayoutError, Report, directory_size, pack};

use super::StoreArgs;
use super::print::{Printer, bytes, count};
use super::session::Session;

/// What to import.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The layout: a directory, a tar, or standard input (`-`)
    #[arg(value_name = "PATH")]
    from: PathBuf,

    /// Show images of private repositories to everybody whom this mirror serves
    #[arg(long)]
    public: bool,

    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let (from, size) = open(&args.from)?;
    let session = Session::open(&args.store)?;
    let bar = io::stderr().is_terminal().then(|| match size {
        Some(size) => ledge_console::bar(size),
        None => ledge_console::counter(),
    });
    let from: Box<dyn Read + Send> = match &bar {
        Some(bar) => Box::new(bar.clone().with_message("importing").wrap_read(from)),
        None => from,
    };
    let import = Import {
        public: args.public,
        size,
    };
    let report = session.import(&import, from);
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let report = report?;
    let Report::Import(imported) = &report else {
        anyhow::bail!("the mirror's answer is that to another command");
    };
    Printer::new(args.store.json, None).finish(&report, || text(imported))
}

fn text(report: &ImportReport) -> String {
    let mut text: String = report
        .images
        .iter()
        .map(|image| format!("{image}\n"))
        .collect();
    text.push_str(&format!(
        "{}, {} with {}; {} were there\n",
        count(report.images.len() as u64, "image"),
        count(report.objects, "new object"),
        bytes(report.bytes),
        report.present
    ));
    text
}

/// The layout as a tar, and how many bytes that has, about.
fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let why = || format!("cannot read {}", path.display());
    let about = fs::metadata(path)
        .map_err(LayoutError::Read)
        .with_context(why)?;
    if !about.is_dir() {
        let file = File::open(path)
            .map_err(LayoutError::Read)
            .with_context(why)?;
        return Ok((Box::new(file), Some(about.len())));
    }
    let size = directory_size(path)?;
    let (reader, writer) = io::pipe().context("cannot pack the layout")?;
    let directory = path.to_owned();
    // One that cannot read on ends the tar in the middle, and so the import.
    thread::spawn(move || pack(&directory, writer));
    Ok((Box::new(reader), Some(size)))
}
