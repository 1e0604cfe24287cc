//! The commands over the store: `ls`, `stats`, `fsck`, `purge`, `gc`, `export`, `import`. They open it themselves, or tell the mirror that
//! has it open; what they print is the same.

mod export;
mod fsck;
mod gc;
mod import;
mod ls;
mod print;
mod purge;
mod session;
mod stats;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use ledge_config::{Config, Flags};
use ledge_control::ClientError;
use ledge_tend::{LayoutError, SelectError, Selector, SelectorText, TendError};

pub(super) use self::export::Args as ExportArgs;
pub(super) use self::fsck::Args as FsckArgs;
pub(super) use self::gc::Args as GcArgs;
pub(super) use self::import::Args as ImportArgs;
pub(super) use self::ls::Args as LsArgs;
pub(super) use self::purge::Args as PurgeArgs;
pub(super) use self::stats::Args as StatsArgs;

/// Which store, and how to print.
#[derive(Debug, clap::Args)]
struct StoreArgs {
    /// Configuration file that says where the store is [env: LEDGE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Directory of the store [env: LEDGE_STORE]
    #[arg(long, value_name = "DIR")]
    store: Option<String>,

    /// Print a JSON object a line, the last one the report
    #[arg(long)]
    json: bool,
}

impl StoreArgs {
    fn load(&self) -> Result<Config> {
        super::load(&Flags {
            config: self.config.clone(),
            store: self.store.clone(),
            ..Flags::default()
        })
    }
}

/// Which images. All that is given must be true of one.
#[derive(Debug, clap::Args)]
struct SelectArgs {
    /// Images, as Docker names them: alpine:3.20, ghcr.io/a/b:v1, alpine@sha256:…
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,

    /// Repositories that match, as their registry calls them: `library/*`, `team/**`
    #[arg(long, value_name = "PATTERN")]
    repository: Option<String>,

    /// Images with this digest, or with an object of it
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,

    /// Images of this upstream, by its name or an alias
    #[arg(long, value_name = "NAME")]
    upstream: Option<String>,

    /// Images that nobody used for so long: `30d`, `12h`
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    unused: Option<Duration>,
}

impl SelectArgs {
    fn selector(&self) -> Result<Selector, SelectError> {
        Selector::try_from(SelectorText {
            images: self.images.clone(),
            repository: self.repository.clone(),
            digest: self.digest.clone(),
            upstream: self.upstream.clone(),
            unused: self.unused.map(|age| age.as_secs()),
        })
    }
}

/// Runs a command.
///
/// # Errors
/// As the command; see [`exit_code`].
pub(super) fn ls(args: &LsArgs) -> Result<()> {
    read(ls::run(args))
}

/// As [`ls`].
pub(super) fn stats(args: &StatsArgs) -> Result<()> {
    read(stats::run(args))
}

/// As [`ls`].
pub(super) fn fsck(args: &FsckArgs) -> Result<()> {
    read(fsck::run(args))
}

/// As [`ls`].
pub(super) fn purge(args: &PurgeArgs) -> Result<()> {
    read(purge::run(args))
}

/// As [`ls`].
pub(super) fn gc(args: &GcArgs) -> Result<()> {
    read(gc::run(args))
}

/// As [`ls`].
pub(super) fn export(args: &ExportArgs) -> Result<()> {
    read(export::run(args))
}

/// As [`ls`].
pub(super) fn import(args: &ImportArgs) -> Result<()> {
    read(import::run(args))
}

/// A reader that has seen enough (`| head`) is no failure.
fn read(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if is_unread(&error) => Ok(()),
        done => done,
    }
}

fn is_unread(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(TendError::Gone))
        || matches!(error.downcast_ref(), Some(ClientError::Gone))
}

/// An error with an exit code of its own.
#[derive(Debug)]
struct Coded {
    code: u8,
    message: String,
}

impl Coded {
    /// A wrong command line.
    fn refused(message: impl Into<String>) -> Self {
        Self {
            code: super::REFUSED,
            message: message.into(),
        }
    }
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Coded {}

/// The exit code of an error of these commands, if it has one of its own.
pub(super) fn exit_code(error: &anyhow::Error) -> Option<u8> {
    if error.is::<SelectError>() || error.is::<LayoutError>() {
        return Some(super::REFUSED);
    }
    error.downcast_ref::<Coded>().map(|coded| coded.code)
}
