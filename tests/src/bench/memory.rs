//! How much memory a server's processes hold, measured alike for all of them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Fine enough for a peak of a transfer that takes a second.
const EVERY: Duration = Duration::from_millis(50);

/// A process and everything that it started, now.
#[must_use]
pub fn family(process: i32) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents: Vec<(i32, i32)> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|id: i32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            Some((id, parent(&stat)?))
        })
        .collect();
    let mut family = vec![process];
    let mut known = 0;
    while known < family.len() {
        let elder = family[known];
        family.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == elder)
                .map(|(id, _)| id),
        );
        known += 1;
    }
    family
}

/// The fourth field of `/proc/PID/stat`; the second may hold spaces and brackets (proc(5)).
fn parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// Bytes of RssAnon + RssShmem of these processes together.
fn resident(processes: &[i32]) -> u64 {
    processes
        .iter()
        .filter_map(|id| fs::read_to_string(format!("/proc/{id}/status")).ok())
        .map(|status| own(&status))
        .sum()
}

/// Of one `/proc/PID/status`, which counts in KiB (proc(5)). Pages of files are not the server's own.
fn own(status: &str) -> u64 {
    let field = |name: &str| field(status, name).unwrap_or_default();
    field("RssAnon:") + field("RssShmem:")
}

/// Bytes that a line of it says.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

/// Bytes that a process had read from a disk (proc(5), `/proc/PID/io`).
///
/// # Errors
/// If the process is gone.
pub fn read_from_disk(process: i32) -> Result<u64> {
    let io = fs::read_to_string(format!("/proc/{process}/io"))?;
    let line = io
        .lines()
        .find_map(|line| line.strip_prefix("read_bytes: "));
    line.context("no read_bytes")?.parse().context(io)
}

/// The most bytes that a process had in memory at any time, files' pages too: `VmHWM` (proc(5)).
///
/// # Errors
/// If the process is gone.
pub fn high_water(process: i32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    field(&status, "VmHWM:").context("no VmHWM")
}

/// Bytes as reports tell them.
#[must_use]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Looks again and again, until it is asked for the most that it saw.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Watch {
    /// Starts to look at a process and all that it started or will start.
    #[must_use]
    pub fn start(process: i32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut peak = 0;
            while !stopped.load(Ordering::Relaxed) {
                peak = peak.max(resident(&family(process)));
                thread::sleep(EVERY);
            }
            peak.max(resident(&family(process)))
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// The most bytes at any look, this last one included.
    #[must_use]
    pub fn peak(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::process::Process;

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(parent("12 (a (b) c) S 7 12 12 0"), Some(7));
        assert_eq!(parent("12 nothing"), None);
        let status =
            "Name:\tx\nRssAnon:\t     100 kB\nRssFile:\t 5000 kB\nRssShmem:\t       4 kB\n";
        assert_eq!(own(status), 104 * 1024);
        assert_eq!(own(""), 0);
        assert!((mebibytes(3 << 19) - 1.5).abs() < 1e-9);
    }

    #[tokio::test]
    async fn children_belong_to_the_family() -> anyhow::Result<()> {
        let script = "sleep 60 & echo started; wait";
        let mut shell = Process::spawn("sh", Command::new("sh").args(["-c", script]))?;
        shell.line("started").await?;
        let family = family(shell.id());
        assert_eq!(family.len(), 2, "{family:?}");
        assert!(resident(&family) > 0);
        assert!(Watch::start(shell.id()).peak() > 0);
        for child in &family[1..] {
            let child = rustix::process::Pid::from_raw(*child).expect("a process id");
            rustix::process::kill_process(child, rustix::process::Signal::KILL)?;
        }
        shell.kill();
        Ok(())
    }
}
