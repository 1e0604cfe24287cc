//! The socket of a mirror that serves.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ledge_tend::Tend;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::path::{NAME, SocketPath};
use crate::route::route;

/// How many connections there are at a time: operators are few, and each command has one.
const CONNECTIONS: usize = 16;

/// How long a request's header may take. It comes from this very machine.
const HEADER: Duration = Duration::from_secs(10);

/// How long nobody is let in after the system had no more open files for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The socket. It is removed when this is dropped.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Makes the socket in the directory of a store that this process has locked. What an earlier process left is
    /// removed.
    ///
    /// # Errors
    /// The operating system's.
    pub fn bind(directory: &Path) -> io::Result<Self> {
        let path = directory.join(NAME);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(SocketPath::of(directory)?.get())?;
        Ok(Self { listener, path })
    }

    /// Answers whoever connects, for as long as it is polled.
    pub async fn serve(self, tend: Tend) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            while connections.try_join_next().is_some() {}
            match self.listener.accept().await {
                Ok((stream, _)) if is_ours(&stream) => {
                    let tend = tend.clone();
                    connections.spawn(async move {
                        converse(stream, tend).await;
                        drop(place);
                    });
                }
                Ok(_) => tracing::warn!("another user's process was turned away at {NAME}"),
                Err(error) => {
                    tracing::warn!(%error, "nobody can be let in at {NAME}");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // What cannot be removed, the next process removes.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether a process is this one's user's, or root's: where the directory was made by somebody else, its mode may
/// let others in.
fn is_ours(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

async fn converse(stream: UnixStream, tend: Tend) {
    let service = service_fn(move |request| {
        let tend = tend.clone();
        async move { Ok::<_, std::convert::Infallible>(route(&tend, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "an operator's connection broke");
    }
}
