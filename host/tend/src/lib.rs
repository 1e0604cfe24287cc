//! What an operator does to a store: lists it, measures it, verifies it, purges, collects, exports and imports.
//!
//! [`Tend`] works on an open store, whoever opened it: a command, or a mirror that serves meanwhile. Requests and
//! reports are values that can be sent. Everything here blocks, and looks at records and objects page by page, so
//! that a large store costs time and no memory. What runs long tells a [`Watch`], and stops when that has gone.
//!
//! This room knows what the registry component keeps, through that component's own types in `ledge-core`: it is the
//! operator's side of the control plane. Nothing that serves a client passes through it.

mod command;
mod error;
mod event;
mod export;
mod fingerprint;
mod fsck;
mod gc;
mod images;
mod import;
mod layout;
mod list;
mod pace;
mod purge;
mod repository;
mod restore;
mod select;
mod stats;
mod tend;
mod tree;

pub use command::{Command, Report};
pub use error::TendError;
pub use event::{Event, Gone, Watch};
pub use export::{Export, ExportReport};
pub use fsck::{Finding, Fsck, FsckReport, RATE, Wrong};
pub use gc::GcReport;
pub use import::{Import, ImportReport};
pub use layout::{LayoutError, directory_size, pack, unpack};
pub use ledge_core::upstream::{UpstreamError, Upstreams};
pub use list::{Listed, Row};
pub use purge::{Purge, PurgeReport};
pub use select::{SelectError, Selector, SelectorText};
pub use stats::{Stats, UpstreamStats};
pub use tend::{Parts, Tend};
