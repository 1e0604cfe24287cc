//! One connection, from its first byte to its last.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use crate::activity::Activity;
use crate::exchange::{self, Shared};
use crate::socket::{Protocol, Socket};
use crate::{Handler, ServerOptions};

/// How long a connection that was asked to close may take to say so to its
/// client, before it is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How many streams a client may have open in an HTTP/2 connection. Each may hold two windows of
/// 128 KiB of a stored object for as long as its client pleases, all of them 8 MiB. That is more than
/// clients pull at once; Go's opens one more connection for what is over it. RFC 9113, section
/// 6.5.2, asks for 100 so as not to limit what is parallel, but does not think of downloads.
const STREAMS: u32 = 32;

/// How much of a stream waits to be written before its body is asked for more. A frame, as large as
/// clients take them unless they say otherwise (RFC 9113, section 6.5.2): the next window of the body
/// is at hand when that is gone. hyper's 400 KiB would only be held longer.
const SEND_BUFFER: usize = 16 * 1024;

/// How many streams may have been reset before the server has seen them (CVE-2023-44487). A client
/// may give up all that it has open with one packet; h2's 20 would end its connection for that.
const RESETS: usize = STREAMS as usize;

/// What the server wants of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Serve.
    Serve,
    /// Finish what is running.
    Drain,
    /// Stop at once.
    Cut,
}

pub(crate) struct Connection<H> {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) handler: H,
    pub(crate) options: Arc<ServerOptions>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) tasks: TaskTracker,
    pub(crate) cut: Arc<AtomicUsize>,
}

impl<H: Handler> Connection<H> {
    /// Serves requests until either side closes.
    pub(crate) async fn serve(self) {
        self.converse(true).await;
    }

    /// Serves one request, where the protocol lets us.
    pub(crate) async fn serve_once(self) {
        self.converse(false).await;
    }

    async fn converse(mut self, keep_alive: bool) {
        let activity = Arc::new(Activity::new());
        let mut socket = Socket::new(
            self.stream,
            Arc::clone(&activity),
            self.options.write_timeout,
        );
        let protocol = tokio::select! {
            protocol = socket.detect() => protocol,
            _ = self.phase.changed() => return,
            () = sleep(self.options.header_timeout) => return,
        };
        let Ok(Some(protocol)) = protocol else { return };
        let watchdog = Watchdog {
            activity: Arc::clone(&activity),
            phase: self.phase,
            timeout: self.options.header_timeout,
            cut: self.cut,
        };
        let shared = Arc::new(Shared {
            handler: self.handler,
            peer: self.peer,
            activity,
        });
        let service = service_fn(move |request| exchange::answer(Arc::clone(&shared), request));
        let io = TokioIo::new(socket);
        let header_bytes = self.options.max_header_bytes;
        match protocol {
            Protocol::Http1 => {
                let mut builder = http1::Builder::new();
                builder
                    .keep_alive(keep_alive)
                    .max_header_size(header_bytes as usize)
                    // Of a body, too, no more waits in memory for a slow client, and one frame.
                    .max_buf_size(header_bytes as usize)
                    // The watchdog does it, without a timer for every request.
                    .header_read_timeout(None);
                watchdog.guard(builder.serve_connection(io, service)).await;
            }
            Protocol::Http2 => {
                let mut builder = http2::Builder::new(Tasks(self.tasks));
                builder
                    .max_header_list_size(header_bytes)
                    .max_concurrent_streams(STREAMS)
                    .max_send_buf_size(SEND_BUFFER)
                    .max_pending_accept_reset_streams(RESETS);
                watchdog.guard(builder.serve_connection(io, service)).await;
            }
        }
    }
}

/// Runs HTTP/2 streams as tasks that the drain waits for.
#[derive(Clone)]
struct Tasks(TaskTracker);

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Ends a connection that has been idle for too long, or that the server wants
/// to end.
struct Watchdog {
    activity: Arc<Activity>,
    phase: watch::Receiver<Phase>,
    timeout: Duration,
    cut: Arc<AtomicUsize>,
}

impl Watchdog {
    async fn guard<C: GracefulConnection>(mut self, connection: C) {
        let mut connection = pin!(connection);
        let mut timer = pin!(sleep(self.timeout));
        let mut closing = false;
        loop {
            tokio::select! {
                biased;
                // How a connection broke is its client's business.
                _ = connection.as_mut() => return,
                changed = self.phase.changed() => {
                    if changed.is_err() || *self.phase.borrow_and_update() == Phase::Cut {
                        self.cut.fetch_add(self.activity.running(), Ordering::Relaxed);
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                }
                () = timer.as_mut() => {
                    let idle = self.activity.idle();
                    if idle < self.timeout {
                        timer.as_mut().reset(Instant::now() + (self.timeout - idle));
                    } else if closing {
                        return;
                    } else {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                        timer.as_mut().reset(Instant::now() + CLOSE_TIMEOUT);
                    }
                }
            }
        }
    }
}
