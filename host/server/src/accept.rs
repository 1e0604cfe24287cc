//! The accept loop, and its end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::connection::{Connection, Phase};
use crate::refusal::Busy;
use crate::{Handler, ServerOptions, Summary};

/// How many connections over the bound may wait for their 503 at once. More
/// than these are closed without one: this is a courtesy, and must stay cheap.
const REFUSED_AT_ONCE: usize = 64;

/// How long a refused connection may take to ask and to read its 503. A client
/// sends its request right after it has connected.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait when the system has no file or memory for a connection.
/// Long enough not to spin, short enough to go unnoticed (Go's `net/http` goes
/// from 5 ms up to 1 s).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the cut connections' tasks may take to see it. They only need to be
/// scheduled once.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves until `shutdown` resolves, then drains: no more connections are
/// accepted, idle ones are closed, running responses get [`ServerOptions::drain`]
/// to finish, and what is left is cut.
pub async fn run<H: Handler>(
    listener: TcpListener,
    handler: H,
    options: ServerOptions,
    shutdown: impl Future<Output = ()>,
) -> Summary {
    let drain = options.drain;
    let server = Server::new(handler, options);
    tokio::select! {
        never = server.accept(&listener) => match never {},
        () = shutdown => {}
    }
    drop(listener);
    server.drain(drain).await
}

struct Server<H> {
    handler: H,
    options: Arc<ServerOptions>,
    served: Arc<Semaphore>,
    refused: Arc<Semaphore>,
    phase: watch::Sender<Phase>,
    tasks: TaskTracker,
    cut: Arc<AtomicUsize>,
}

impl<H: Handler> Server<H> {
    fn new(handler: H, options: ServerOptions) -> Self {
        let connections = options.max_connections.min(Semaphore::MAX_PERMITS);
        Self {
            handler,
            options: Arc::new(options),
            served: Arc::new(Semaphore::new(connections)),
            refused: Arc::new(Semaphore::new(REFUSED_AT_ONCE)),
            phase: watch::Sender::new(Phase::Serve),
            tasks: TaskTracker::new(),
            cut: Arc::default(),
        }
    }

    async fn accept(&self, listener: &TcpListener) -> Infallible {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        if tune(&stream).is_err() {
            return;
        }
        if let Ok(permit) = Arc::clone(&self.served).try_acquire_owned() {
            let connection = self.connection(stream, peer, self.handler.clone());
            self.tasks.spawn(async move {
                connection.serve().await;
                drop(permit);
            });
        } else if let Ok(permit) = Arc::clone(&self.refused).try_acquire_owned() {
            let connection = self.connection(stream, peer, Busy);
            self.tasks.spawn(async move {
                // Being late is the client's loss.
                let _ = tokio::time::timeout(REFUSAL_TIMEOUT, connection.serve_once()).await;
                drop(permit);
            });
        }
    }

    fn connection<T: Handler>(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        handler: T,
    ) -> Connection<T> {
        Connection {
            stream,
            peer,
            handler,
            options: Arc::clone(&self.options),
            phase: self.phase.subscribe(),
            tasks: self.tasks.clone(),
            cut: Arc::clone(&self.cut),
        }
    }

    async fn drain(self, limit: Duration) -> Summary {
        self.tasks.close();
        self.phase.send_replace(Phase::Drain);
        if tokio::time::timeout(limit, self.tasks.wait())
            .await
            .is_err()
        {
            self.phase.send_replace(Phase::Cut);
            // A handler that blocks its thread must not hold up the exit.
            let _ = tokio::time::timeout(CUT_TIMEOUT, self.tasks.wait()).await;
        }
        Summary {
            cut: self.cut.load(Ordering::Relaxed),
        }
    }
}

/// Whether the client gave up between its SYN and our accept (accept(2)).
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// How much of what a client does not take yet the kernel holds for it. Without a bound that is
/// some megabytes a connection, filled at once: many slow clients would cost a fast one its time.
/// What is on its way is not counted, so a long fat line stays full.
const UNSENT: u32 = 128 * 1024;

fn tune(stream: &TcpStream) -> io::Result<()> {
    // Answers are written whole; waiting to join small ones costs 40 ms.
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)
}
