//! Connections: which addresses they may lead to, how long they may take, and
//! whether they were of use before.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::address::is_public;
use crate::lookup::Lookup;
use crate::rules::Reach;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Pending<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Finds out that a peer has vanished while a connection waits in the pool or a
/// body pauses, and keeps NAT entries alive (RFC 5382 has them live two hours,
/// home routers five minutes).
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// All addresses of a name are private.
#[derive(Debug, thiserror::Error)]
#[error("the name has private addresses only")]
pub(crate) struct PrivateOnly;

/// A connection took too long.
#[derive(Debug, thiserror::Error)]
#[error("the connection took too long")]
pub(crate) struct DialTimeout;

/// Resolves names, and drops the addresses that may not be connected to.
#[derive(Clone)]
pub(crate) struct Resolver {
    lookup: Arc<dyn Lookup>,
    reach: Reach,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pending<Self::Response, BoxError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.lookup.lookup(name.as_str());
        let reach = self.reach;
        Box::pin(async move {
            let mut addresses = found.await?;
            let some = !addresses.is_empty();
            addresses.retain(|address| reach == Reach::Any || is_public(*address));
            if some && addresses.is_empty() {
                return Err(PrivateOnly.into());
            }
            // The connector puts the port in.
            let sockets = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(sockets.collect::<Vec<_>>().into_iter())
        })
    }
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    inner: HttpsConnector<HttpConnector<Resolver>>,
    limit: Duration,
}

impl Dialer {
    pub(crate) fn new(
        lookup: Arc<dyn Lookup>,
        reach: Reach,
        tls: ClientConfig,
        limit: Duration,
    ) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver { lookup, reach });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        // Shared among the addresses of a name, so that the last is tried in time.
        tcp.set_connect_timeout(Some(limit));
        let inner = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        Self { inner, limit }
    }
}

impl Service<Uri> for Dialer {
    type Response = Line;
    type Error = BoxError;
    type Future = Pending<Line, BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let limit = self.limit;
        Box::pin(async move {
            let stream = tokio::time::timeout(limit, connecting)
                .await
                .map_err(|_| DialTimeout)??;
            Ok(Line {
                stream,
                proven: Proven::default(),
            })
        })
    }
}

/// Whether a connection has brought an answer. One that has and then breaks
/// without any was probably closed by the origin while it was idle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proven(Arc<AtomicBool>);

impl Proven {
    pub(crate) fn prove(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection to an origin.
pub(crate) struct Line {
    stream: MaybeHttpsStream<TokioIo<TcpStream>>,
    proven: Proven,
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.proven.clone())
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
