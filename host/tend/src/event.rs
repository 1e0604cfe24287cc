//! What is told while something runs.

use serde::{Deserialize, Serialize};

use crate::fsck::Finding;
use crate::list::Row;

/// Something that is told before the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// An image.
    Image(Row),
    /// So many bytes are done, of so many; the latter may change.
    Progress {
        /// Bytes.
        done: u64,
        /// Of these.
        of: u64,
    },
    /// Something is wrong.
    Finding(Finding),
}

/// Nobody watches any more: what runs is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Somebody who watches.
pub type Watch<'a> = dyn FnMut(Event) -> Result<(), Gone> + 'a;
