//! How much of the processors' time a server takes.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// What programs are told times in, whatever the kernel counts in: `USER_HZ` is 100 on all processors that
/// anybody runs a mirror on (time(7)).
const TICK: Duration = Duration::from_millis(10);

/// What a process has had so far, all its threads together, in its own code and in the kernel for it.
///
/// # Errors
/// If the process is gone.
pub fn time_of(process: i32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks = ticks(&stat).context(stat)?;
    Ok(TICK * ticks)
}

/// `utime` and `stime`, the fields 14 and 15 of `/proc/PID/stat`; the second may hold spaces and brackets (proc(5)).
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (own, kernel) = (fields.next()?, fields.next()?);
    Some(own.parse::<u32>().ok()? + kernel.parse::<u32>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::{ticks, time_of};

    #[test]
    fn the_kernel_s_words_are_read() {
        let stat = "12 (a (b) c) S 7 12 12 0 -1 4194304 139 0 0 0 250 41 0 0 20 0";
        assert_eq!(ticks(stat), Some(291));
        assert_eq!(ticks("12 nothing"), None);
        let own = i32::try_from(std::process::id()).expect("an id");
        time_of(own).expect("this process runs");
        time_of(-1).expect_err("nobody's id");
    }
}
