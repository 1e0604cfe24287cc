//! A child process whose output is kept, and which ends with its owner.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Resource, Signal, getrlimit, setrlimit};
use tokio::sync::watch;

/// How long a process may take to say that it is ready. Ten times what the
/// slowest of them (the Docker engine) needs on two busy cores.
pub const READY: Duration = Duration::from_secs(30);

/// Lets this process, and those that it starts from now on, open as many files as the system allows:
/// a crowd of clients has a socket for each of its requests, and so has the server.
///
/// # Errors
/// If the system refuses.
pub fn raise_open_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("raising the number of open files")
}

/// A running program. Dropping it kills it, by its id, and waits for its end.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    output: Output,
    status: watch::Receiver<Option<ExitStatus>>,
    waiter: Option<JoinHandle<()>>,
}

/// The lines that a process wrote to its standard output and error.
#[derive(Debug, Clone)]
struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(&self, pipe: impl Read + Send + 'static) -> JoinHandle<()> {
        let output = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                output.lock().push(line);
                output.count.send_modify(|count| *count += 1);
            }
        })
    }
}

impl Process {
    /// Starts `command`; `name` is for messages.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let pid = Pid::from_child(&child);
        let output = Output {
            lines: Arc::default(),
            count: watch::Sender::new(0),
        };
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|pipe| output.collect(pipe)));
        readers.extend(child.stderr.take().map(|pipe| output.collect(pipe)));
        let (send, status) = watch::channel(None);
        let waiter = thread::spawn(move || {
            let status = reap(child, readers);
            send.send_replace(status);
        });
        Ok(Self {
            name: name.to_owned(),
            pid,
            output,
            status,
            waiter: Some(waiter),
        })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Every line written so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.output.lock().clone()
    }

    /// The first line that contains `needle`, as soon as it is there.
    ///
    /// # Errors
    /// If the process ends or `READY` passes without it; the error has the log.
    pub async fn line(&self, needle: &str) -> Result<String> {
        match tokio::time::timeout(READY, self.find(needle)).await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => bail!(
                "{} ended without saying '{needle}':\n{}",
                self.name,
                self.log().join("\n")
            ),
            Err(_) => bail!(
                "{} did not say '{needle}' in {READY:?}:\n{}",
                self.name,
                self.log().join("\n")
            ),
        }
    }

    async fn find(&self, needle: &str) -> Option<String> {
        let mut count = self.output.count.subscribe();
        let mut status = self.status.clone();
        loop {
            let ended = status.borrow().is_some();
            count.borrow_and_update();
            if let Some(line) = self.output.lock().iter().find(|line| line.contains(needle)) {
                return Some(line.clone());
            }
            if ended {
                return None;
            }
            tokio::select! {
                _ = count.changed() => {}
                _ = status.changed() => {}
            }
        }
    }

    /// How it ended, once it has.
    ///
    /// # Errors
    /// If it still runs after `bound`.
    pub async fn ended(&self, bound: Duration) -> Result<ExitStatus> {
        let mut status = self.status.clone();
        let waited = tokio::time::timeout(bound, status.wait_for(Option::is_some)).await;
        match waited {
            Ok(Ok(status)) => status.with_context(|| format!("{} has no exit status", self.name)),
            Ok(Err(_)) => bail!("nobody waits for {}", self.name),
            Err(_) => bail!(
                "{} still runs after {bound:?}:\n{}",
                self.name,
                self.log().join("\n")
            ),
        }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(waiter) = self.waiter.take() {
            // A panic of the waiter has no consequence that matters here.
            let _ = waiter.join();
        }
    }

    fn signal(&self, signal: Signal) {
        // Once reaped, the id may belong to somebody else.
        if self.status.borrow().is_none() {
            // It may end between the look and the signal: that is what was wanted.
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits for the end and for the last line of output.
fn reap(mut child: Child, readers: Vec<JoinHandle<()>>) -> Option<ExitStatus> {
    let status = child.wait().ok();
    for reader in readers {
        // A reader that panicked has lost lines, nothing else.
        let _ = reader.join();
    }
    status
}
