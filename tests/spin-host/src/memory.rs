//! How much linear memory instances have, bounded and reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

/// The most that there was, over the life of the process. Each new peak is printed.
#[derive(Debug, Default)]
pub(crate) struct Peaks {
    now: AtomicUsize,
    of_one: AtomicUsize,
    of_all: AtomicUsize,
}

impl Peaks {
    fn grown(&self, by: usize, one: usize) {
        let all = self.now.fetch_add(by, Ordering::Relaxed) + by;
        let before = (
            self.of_one.fetch_max(one, Ordering::Relaxed),
            self.of_all.fetch_max(all, Ordering::Relaxed),
        );
        if one > before.0 || all > before.1 {
            let (one, all) = (one.max(before.0), all.max(before.1));
            println!("memory: at most {one} bytes in an instance, {all} bytes in all");
        }
    }

    fn gone(&self, bytes: usize) {
        self.now.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The memories of one instance, which may be of several components.
#[derive(Debug)]
pub(crate) struct Memory {
    peaks: Arc<Peaks>,
    used: usize,
    limit: usize,
}

impl Memory {
    pub(crate) fn new(peaks: Arc<Peaks>, limit: usize) -> Self {
        Self {
            peaks,
            used: 0,
            limit,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.peaks.gone(self.used);
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let by = desired.saturating_sub(current);
        if self.used.saturating_add(by) > self.limit {
            eprintln!(
                "memory: refused {desired} bytes beside {} others",
                self.used
            );
            return Ok(false);
        }
        self.used += by;
        self.peaks.grown(by, self.used);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use wasmtime::ResourceLimiter as _;

    use super::{Memory, Peaks};

    #[test]
    fn the_sum_of_an_instance_is_bounded_and_peaks_stay() {
        let peaks = Arc::new(Peaks::default());
        let mut one = Memory::new(peaks.clone(), 100);
        let mut grow = |from, to| one.memory_growing(from, to, None).expect("no trap");
        assert!(grow(0, 60));
        assert!(grow(0, 40), "a second memory");
        assert!(!grow(60, 61), "both together");
        let mut other = Memory::new(peaks.clone(), 100);
        assert!(other.memory_growing(0, 30, None).expect("no trap"));
        drop(one);
        drop(other);
        let peak = |peak: &std::sync::atomic::AtomicUsize| peak.load(Ordering::Relaxed);
        assert_eq!(
            (peak(&peaks.now), peak(&peaks.of_one), peak(&peaks.of_all)),
            (0, 100, 130)
        );
    }
}
