//! How a run is watched while it runs.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use ledge_console::ProgressBar;

use crate::report::Row;

/// Somebody who watches a run. Numbers are bytes.
pub trait Watch: Sync {
    /// So many more are to come.
    fn expects(&self, bytes: u64);

    /// So many came.
    fn came(&self, bytes: u64);

    /// So many of those that came are to come again.
    fn lost(&self, bytes: u64);

    /// An image is done, or has failed.
    fn done(&self, row: &Row);
}

/// What a person sees of a run.
pub enum Progress {
    /// A bar over all bytes, on a terminal.
    Bar(ProgressBar),
    /// A line an image, for a log.
    Lines(Mutex<Box<dyn Write + Send>>),
    /// Nothing, for a program.
    Quiet,
}

impl Progress {
    /// A bar on standard error. It is erased when the run is over.
    #[must_use]
    pub fn bar(images: usize) -> Self {
        let bar = ledge_console::bar(0).with_message(format!("{images} images"));
        Self::Bar(bar)
    }

    /// A line an image.
    pub fn lines(to: impl Write + Send + 'static) -> Self {
        Self::Lines(Mutex::new(Box::new(to)))
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Progress {
    fn expects(&self, bytes: u64) {
        if let Self::Bar(bar) = self {
            bar.inc_length(bytes);
        }
    }

    fn came(&self, bytes: u64) {
        if let Self::Bar(bar) = self {
            bar.inc(bytes);
        }
    }

    fn lost(&self, bytes: u64) {
        if let Self::Bar(bar) = self {
            bar.dec(bytes);
        }
    }

    fn done(&self, row: &Row) {
        match self {
            Self::Bar(bar) => bar.set_message(row.to_string()),
            Self::Lines(to) => {
                let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
                // Where nobody reads, the exit code says it.
                let _ = writeln!(to, "{row}");
            }
            Self::Quiet => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_counts_what_is_lost_back() {
        let progress = Progress::bar(1);
        progress.expects(100);
        progress.expects(20);
        progress.came(50);
        progress.lost(50);
        progress.came(70);
        let Progress::Bar(bar) = &progress else {
            panic!("a bar")
        };
        assert_eq!((bar.position(), bar.length()), (70, Some(120)));
        progress.finish();
    }
}
