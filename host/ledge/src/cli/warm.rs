//! `ledge warm`: from flags to the room that does it.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use ledge_config::Flags;
use ledge_warm::{
    Inputs, Mirror, MirrorError, Options, Platform, Platforms, Problems, Progress, ReadError,
    Retries, Summary, Wanted,
};

/// What to warm, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Images, as Docker names them: alpine:3.20, ghcr.io/a/b:v1, alpine@sha256:…
    #[arg(value_name = "IMAGE", required_unless_present_any = ["file", "kubernetes"])]
    images: Vec<String>,

    /// List of images, one a line
    ///
    /// `#` starts a comment; `-` is standard input. May be given several times.
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,

    /// Kubernetes manifests whose images to warm
    ///
    /// YAML or JSON, several documents in one, `-` is standard input, as in `kubectl get pods -A -o
    /// yaml | ledge warm --kubernetes -`. The images of containers (init and ephemeral too) and of
    /// image volumes count, in resources of every kind. May be given several times.
    #[arg(long, value_name = "FILE")]
    kubernetes: Vec<PathBuf>,

    /// Mirror to warm [default: where `ledge serve` listens by this machine's configuration]
    #[arg(long, value_name = "URL", value_parser = Mirror::parse)]
    mirror: Option<Mirror>,

    /// Configuration file that says where the mirror listens [env: LEDGE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Platforms to pull, with commas between, or `all`
    ///
    /// [default: Linux on this machine's architecture]
    #[arg(long, value_name = "OS/ARCH", value_parser = Platforms::parse)]
    platform: Option<Platforms>,

    /// Requests to the mirror at once
    ///
    /// The default is one more than Docker and containerd have: it keeps a link busy, and is an
    /// eighth of what the mirror fetches from an origin at once.
    #[arg(long, value_name = "NUMBER", default_value = "4")]
    jobs: NonZeroUsize,

    /// Read manifests alone, and say what would be pulled
    #[arg(long)]
    dry_run: bool,

    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// Warms the mirror, and prints what came of it.
///
/// # Errors
/// Wrong use; no mirror; an image that is not warm.
pub(super) fn run(args: &Args) -> Result<()> {
    let images = wanted(args)?.finish()?;
    let options = Options {
        mirror: mirror(args)?,
        platforms: args.platform.clone().unwrap_or_else(own_platform),
        jobs: args.jobs,
        dry_run: args.dry_run,
        retries: Retries::default(),
    };
    let progress = progress(args, images.len());
    // One thread: bytes are thrown away, there is nothing to compute.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let summary = runtime.block_on(ledge_warm::warm(&images, &options, &progress));
    progress.finish();
    tell(&summary?, args.json)
}

/// Whether an error is about what was asked for, and not about what became of it.
pub(super) fn is_wrong_use(error: &anyhow::Error) -> bool {
    error.is::<Problems>() || error.is::<ReadError>() || error.is::<MirrorError>()
}

fn wanted(args: &Args) -> Result<Wanted> {
    let (mut wanted, mut inputs) = (Wanted::default(), Inputs::default());
    for image in &args.images {
        wanted.name(image);
    }
    for path in &args.file {
        wanted.list(&path.display().to_string(), &inputs.read(path)?);
    }
    for path in &args.kubernetes {
        wanted.kubernetes(&path.display().to_string(), &inputs.read(path)?);
    }
    Ok(wanted)
}

fn mirror(args: &Args) -> Result<Mirror> {
    if let Some(mirror) = &args.mirror {
        return Ok(mirror.clone());
    }
    let flags = Flags {
        config: args.config.clone(),
        ..Flags::default()
    };
    Ok(Mirror::listening(super::load(&flags)?.server.listen.value)?)
}

fn own_platform() -> Platforms {
    Platforms::These(vec![Platform::of_this_machine()])
}

fn progress(args: &Args, images: usize) -> Progress {
    if io::stderr().is_terminal() {
        Progress::bar(images)
    } else if args.json {
        Progress::Quiet
    } else {
        Progress::lines(io::stderr())
    }
}

fn tell(summary: &Summary, json: bool) -> Result<()> {
    super::print(|out| {
        if json {
            writeln!(out, "{}", summary.json())
        } else {
            write!(out, "{}", summary.table())
        }
    })?;
    match summary.failed() {
        0 => Ok(()),
        failed => bail!("{failed} of {} images are not warm", summary.rows.len()),
    }
}
