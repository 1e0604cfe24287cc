//! What this program tells the person who waits: a line when a step begins, a line with its seconds when it ends.

use std::path::Path;
use std::time::Instant;

/// A step that is under way. Dropping it without `done` says nothing: the error does.
pub(crate) struct Step {
    name: String,
    start: Instant,
}

impl Step {
    pub(crate) fn begin(name: impl Into<String>) -> Self {
        let name = name.into();
        say(&format!("{name} …"));
        Self {
            name,
            start: Instant::now(),
        }
    }

    /// A step whose output goes to a file.
    pub(crate) fn begin_logged(name: impl Into<String>, log: &Path) -> Self {
        let name = name.into();
        say(&format!("{name} … (output in {})", log.display()));
        Self {
            name,
            start: Instant::now(),
        }
    }

    pub(crate) fn done(self) {
        self.done_with("done");
    }

    /// Ends the step with what came of it, such as "unchanged".
    pub(crate) fn done_with(self, outcome: &str) {
        say(&format!(
            "{}: {outcome} ({:.1} s)",
            self.name,
            self.start.elapsed().as_secs_f64()
        ));
    }
}

pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}
