//! What the process stands in.

use std::ffi::OsString;
use std::time::Instant;

/// What this room asks of the process: its variables and its clock. Tests have their own.
pub trait Surroundings: Send + Sync + 'static {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The time.
    fn now(&self) -> Instant;
}

/// The process itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process;

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}
