//! `ledge export`.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result};
use ledge_console::ProgressBar;
use ledge_tend::{Command, Export, ExportReport, Report, unpack};

use super::print::{Printer, bytes, count};
use super::session::Session;
use super::{Coded, SelectArgs, StoreArgs};

/// What to export, and where to.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["images", "repository", "digest", "upstream", "unused", "all"]))]
pub(crate) struct Args {
    #[command(flatten)]
    select: SelectArgs,

    /// All images
    #[arg(long, conflicts_with_all = ["images", "repository", "digest", "upstream", "unused"])]
    all: bool,

    /// Where to: a directory, a tar (`NAME.tar`), or standard output (`-`)
    #[arg(long, short, value_name = "PATH")]
    to: PathBuf,

    /// Take images of private repositories too: whoever gets the layout has them
    #[arg(long)]
    public: bool,

    #[command(flatten)]
    store: StoreArgs,
}

/// What a tar is written to before it is whole.
const UNFINISHED: &str = "part";

pub(super) fn run(args: &Args) -> Result<()> {
    let export = Export {
        selector: args.select.selector()?,
        public: args.public,
    };
    let target = Target::parse(&args.to)?;
    let session = Session::open(&args.store)?;
    // A tar on standard output has it for itself.
    let is_quiet = matches!(target, Target::Output);
    let mut printer = Printer::new(args.store.json, None);
    let report = session.run(&Command::PlanExport(export.clone()), &mut |event| {
        if is_quiet {
            Ok(())
        } else {
            printer.tell(event)
        }
    })?;
    let Report::Export(plan) = &report else {
        anyhow::bail!("the mirror's answer is that to another command");
    };
    if plan.images == 0 {
        return Err(Coded::refused("no image is whole that this names").into());
    }
    let bar = io::stderr()
        .is_terminal()
        .then(|| ledge_console::bar(plan.bytes).with_message("exporting"));
    let written = target.write(&session, &export, bar.as_ref());
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    written?;
    if is_quiet {
        return Ok(());
    }
    printer.finish(&report, || text(plan))
}

fn text(report: &ExportReport) -> String {
    let mut text = format!(
        "{}, {} with {} written",
        count(report.images, "image"),
        count(report.objects, "object"),
        bytes(report.bytes)
    );
    if report.incomplete > 0 {
        let left = count(report.incomplete, "image");
        text.push_str(&format!(
            "; {left} left out, no platform of which is all there"
        ));
    }
    text.push('\n');
    text
}

/// Where a layout goes.
enum Target {
    Output,
    Tar(PathBuf),
    Directory(PathBuf),
}

impl Target {
    fn parse(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Output);
        }
        if path.extension().is_some_and(|ending| ending == "tar") {
            return Ok(Self::Tar(path.to_owned()));
        }
        let is_free = match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_free {
            return Ok(Self::Directory(path.to_owned()));
        }
        let message = format!(
            "{} is there and no empty directory; name a new one, or a file that ends in .tar",
            path.display()
        );
        Err(Coded::refused(message).into())
    }

    fn write(&self, session: &Session, export: &Export, bar: Option<&ProgressBar>) -> Result<()> {
        let counted = |out: Box<dyn Write + Send>| -> Box<dyn Write + Send> {
            match bar {
                Some(bar) => Box::new(bar.wrap_write(out)),
                None => out,
            }
        };
        match self {
            Self::Output => {
                let mut out = counted(Box::new(BufWriter::new(io::stdout())));
                session.export(export, &mut out)?;
                out.flush().context("cannot write the layout")
            }
            Self::Tar(path) => {
                let mut unfinished = path.clone();
                unfinished.add_extension(UNFINISHED);
                let written = to_file(&unfinished, |file| {
                    session.export(export, &mut counted(Box::new(file)))
                });
                let renamed = written.and_then(|()| {
                    fs::rename(&unfinished, path)
                        .with_context(|| format!("cannot write {}", path.display()))
                });
                if renamed.is_err() {
                    // What is half written is of no use.
                    let _ = fs::remove_file(&unfinished);
                }
                renamed
            }
            Self::Directory(path) => {
                let (reader, writer) = io::pipe().context("cannot unpack the layout")?;
                let directory = path.clone();
                let unpacking = thread::spawn(move || unpack(reader, &directory));
                let written = session.export(export, &mut counted(Box::new(writer)));
                let unpacked = unpacking.join();
                written?;
                match unpacked {
                    Ok(unpacked) => Ok(unpacked?),
                    Err(_) => anyhow::bail!("the thread that unpacks the layout broke"),
                }
            }
        }
    }
}

fn to_file(path: &Path, write: impl FnOnce(BufWriter<File>) -> Result<()>) -> Result<()> {
    let why = || format!("cannot write {}", path.display());
    let file = File::create(path).with_context(why)?;
    let synced = file.try_clone().with_context(why)?;
    write(BufWriter::new(file))?;
    synced.sync_all().with_context(why)
}
