//! Log lines on their way to standard error.
//!
//! A line is an append to memory; a thread writes what has gathered, some fifty
//! times a second at most. A write for every line, or a wake-up of another
//! thread for it, costs a small answer a quarter of its speed (measured with
//! `wrk -t1 -c32` on warm manifests).

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long lines gather: too short for a person to notice.
const GATHER: Duration = Duration::from_millis(20);

/// At this many bytes whoever logs writes them: a log that cannot be written fast enough slows
/// requests down, it does not fill the memory and leaves nothing out.
const FULL: usize = 1 << 20;

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    lines: Mutex<Lines>,
    something: Condvar,
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the log's lines go.
#[derive(Clone, Default)]
pub(super) struct LogBuffer(Arc<Shared>);

/// Writes what is left when it is dropped.
#[must_use]
pub(crate) struct LogGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl LogBuffer {
    /// A buffer, and the thread that empties it to standard error.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(super) fn start() -> io::Result<(Self, LogGuard)> {
        let buffer = Self::default();
        let shared = buffer.0.clone();
        let of_thread = shared.clone();
        let thread = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || of_thread.empty(&mut io::stderr()))?;
        let thread = Some(thread);
        Ok((buffer, LogGuard { shared, thread }))
    }
}

impl Shared {
    /// Writes what gathers until it is closed and empty.
    fn empty(&self, out: &mut impl Write) {
        loop {
            let mut lines = self.lines();
            while lines.bytes.is_empty() && !lines.closed {
                lines = self
                    .something
                    .wait(lines)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if lines.bytes.is_empty() {
                return;
            }
            if !lines.closed {
                drop(lines);
                thread::sleep(GATHER);
                lines = self.lines();
            }
            let bytes = std::mem::take(&mut lines.bytes);
            drop(lines);
            // Where standard error is closed there is nobody to tell.
            let _ = out.write_all(&bytes);
        }
    }
}

impl Write for &LogBuffer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lines();
        let first = lines.bytes.is_empty();
        lines.bytes.extend_from_slice(line);
        if lines.bytes.len() >= FULL {
            // Under the lock, so that lines stay in order.
            let bytes = std::mem::take(&mut lines.bytes);
            io::stderr().write_all(&bytes)?;
        } else if first {
            self.0.something.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogBuffer {
    type Writer = &'a LogBuffer;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.shared.lines().closed = true;
        self.shared.something.notify_one();
        if let Some(thread) = self.thread.take() {
            // It ends unless it panicked, and then there is nothing more to write.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_written_in_order_before_the_end() {
        let buffer = LogBuffer::default();
        let shared = buffer.0.clone();
        let thread = thread::spawn(move || {
            let mut out = Vec::new();
            shared.empty(&mut out);
            out
        });
        let lines: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        for line in lines.split_inclusive('\n') {
            (&buffer)
                .write_all(line.as_bytes())
                .expect("a buffer takes all");
        }
        buffer.0.lines().closed = true;
        buffer.0.something.notify_one();
        let written = thread.join().expect("no panic");
        assert_eq!(String::from_utf8(written).expect("text"), lines);
    }
}
