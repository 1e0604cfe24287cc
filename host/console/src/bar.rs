//! Progress bars on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar is drawn anew at least so often, so that its speed and its clock are true.
const TICK: Duration = Duration::from_millis(200);

const BAR: &str = "{elapsed_precise} [{bar:30}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {msg}";

const COUNTER: &str = "{elapsed_precise} {binary_bytes}, {binary_bytes_per_sec}, {msg}";

/// A bar over so many bytes. Whoever has it erases it when the work is over.
#[must_use]
pub fn bar(bytes: u64) -> ProgressBar {
    drawn(Some(bytes), BAR)
}

/// The same where nobody knows how many bytes there will be.
#[must_use]
pub fn counter() -> ProgressBar {
    drawn(None, COUNTER)
}

fn drawn(bytes: Option<u64>, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr()).with_style(
        style
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    );
    bar.enable_steady_tick(TICK);
    bar
}
