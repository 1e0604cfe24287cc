//! The same processors for everybody: clients and servers.

use std::fs;

use anyhow::{Context as _, Result};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How many: what a small machine at an edge has.
const CORES: usize = 2;

/// Leaves this process, and all that it starts from now on, the first two processors that it has.
///
/// # Errors
/// If the system refuses.
pub(super) fn share() -> Result<()> {
    let allowed = sched_getaffinity(None).context("asking for the processors")?;
    let mut kept = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    first.take(CORES).for_each(|core| kept.set(core));
    // A thread hands its own on to what it starts.
    for thread in fs::read_dir("/proc/self/task")? {
        let id = thread?.file_name();
        let id = id.to_str().and_then(|id| Pid::from_raw(id.parse().ok()?));
        sched_setaffinity(id, &kept).context("choosing the processors")?;
    }
    Ok(())
}
