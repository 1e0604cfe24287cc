//! What can be asked of a store, as values.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::TendError;
use crate::event::Watch;
use crate::export::{Export, ExportReport};
use crate::fsck::{Fsck, FsckReport};
use crate::gc::GcReport;
use crate::import::ImportReport;
use crate::list::Listed;
use crate::purge::{Purge, PurgeReport};
use crate::select::Selector;
use crate::stats::Stats;
use crate::tend::Tend;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// [`Tend::list`]
    List(Selector),
    /// [`Tend::stats`]
    Stats {},
    /// [`Tend::fsck`]
    Fsck(Fsck),
    /// [`Tend::purge`]
    Purge(Purge),
    /// [`Tend::gc`]
    Gc {},
    /// [`Tend::plan_export`]
    PlanExport(Export),
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// Of [`Command::List`].
    List(Listed),
    /// Of [`Command::Stats`].
    Stats(Stats),
    /// Of [`Command::Fsck`].
    Fsck(FsckReport),
    /// Of [`Command::Purge`].
    Purge(PurgeReport),
    /// Of [`Command::Gc`].
    Gc(GcReport),
    /// Of [`Command::PlanExport`].
    Export(ExportReport),
    /// Of [`Tend::import`].
    Import(ImportReport),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// As the function that does it.
    pub fn run(
        &self,
        tend: &Tend,
        now: SystemTime,
        watch: &mut Watch<'_>,
    ) -> Result<Report, TendError> {
        Ok(match self {
            Self::List(selector) => Report::List(tend.list(selector, now, watch)?),
            Self::Stats {} => Report::Stats(tend.stats()?),
            Self::Fsck(how) => Report::Fsck(tend.fsck(how, watch)?),
            Self::Purge(purge) => Report::Purge(tend.purge(purge, now, watch)?),
            Self::Gc {} => Report::Gc(tend.gc(now, watch)?),
            Self::PlanExport(export) => Report::Export(tend.plan_export(export, now, watch)?),
        })
    }
}
