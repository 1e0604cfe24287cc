//! Sockets to a handler.
//!
//! [`run`] accepts connections, speaks HTTP/1.1 and HTTP/2 with prior knowledge
//! (RFC 9113, section 3.3) on one port, and gives every request to a
//! [`Handler`]. It bounds what strangers can use up: connections, streams, header
//! bytes, the time in which a header must arrive, and the time in which nothing of
//! an answer is taken. It knows nothing of registries
//! but the shape of their errors, which its own few answers have.
//!
//! What a handler need not care about:
//! - HEAD, 204 and 304 get no body, whatever it returned (RFC 9110, section 6.4.1).
//! - A body that fails cuts the connection (HTTP/1.1) or resets the stream
//!   (HTTP/2), so that no client takes a part for the whole.
//! - A panic becomes a 500.
//! - Every request leaves one line in the log, under the target `access`.

mod accept;
mod access;
mod activity;
mod body;
mod connection;
mod exchange;
mod refusal;
mod socket;
mod stall;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;

pub use accept::run;

/// An error of any type, as bodies may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Answers requests.
pub trait Handler: Clone + Send + Sync + 'static {
    /// The body of an answer. Where the response has a `Content-Length` it must
    /// be what the body holds; a body that claims another length is a 500, one
    /// that turns out shorter cuts the connection.
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Answers one request of `peer`. Dropped when the client hangs up before
    /// the answer is there.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// The bounds of a server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// How many connections are served at once. Beyond it a connection's request
    /// gets a 503 with `Retry-After`, on which clients go on to the next mirror.
    pub max_connections: usize,
    /// How long a connection may be without a complete request header or a byte
    /// sent, at its start and between requests.
    pub header_timeout: Duration,
    /// How long a client may take nothing of what waits to be written to its
    /// connection, which is cut then. A response that waits for its handler does not
    /// count. The kernel takes about 64 KiB at a time for a slow client,
    /// so who takes less than that in this time is cut too.
    pub write_timeout: Duration,
    /// How long running responses may go on after the shutdown.
    pub drain: Duration,
    /// The largest request line and header set, in bytes. Larger ones get 431
    /// (RFC 6585, section 5).
    pub max_header_bytes: u32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            // A node's clients open about ten connections each, so that four
            // hundred nodes can pull at once; a connection that waits holds
            // about 16 KiB, all of them 64 MiB.
            max_connections: 4096,
            // hyper's own default; a header is one or two packets.
            header_timeout: Duration::from_secs(30),
            // nginx's `send_timeout`.
            write_timeout: Duration::from_secs(60),
            // Kubernetes kills a pod 30 s after it asked it to stop.
            drain: Duration::from_secs(30),
            // Twice nginx's default (four buffers of 8 KiB): tokens of cloud
            // registries are long.
            max_header_bytes: 64 * 1024,
        }
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Summary {
    /// Responses that were still running when the drain's time was over, and
    /// were cut.
    pub cut: usize,
}
