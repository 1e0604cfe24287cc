//! Connections: which addresses they may lead to, through which proxy, and how long
//! they may take.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tower_service::Service;

use crate::address::is_public;
use crate::error::{chain, is_timeout, root};
use crate::lookup::Lookup;
use crate::proxy::Proxy;
use crate::rules::Reach;
use crate::target::{Scheme, Target};
use crate::tunnel;
use crate::wire::{Stream, Wire};

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

/// A proxy stood in the way.
#[derive(Debug, thiserror::Error)]
#[error("the proxy {proxy} is no way there: {detail}")]
pub(crate) struct ProxyFailure {
    proxy: String,
    detail: String,
}

impl ProxyFailure {
    pub(crate) fn new(proxy: &Proxy, cause: &(dyn std::error::Error + 'static)) -> Self {
        Self {
            proxy: proxy.to_string(),
            detail: root(cause),
        }
    }

    /// Puts the blame on the proxy, but for being slow: that is told by its type.
    fn blame(proxy: &Proxy, cause: BoxError) -> BoxError {
        if chain(&*cause).any(is_timeout) {
            return cause;
        }
        Self::new(proxy, &*cause).into()
    }
}

/// Makes connections: within the time limit, and with TLS where the URI has it.
#[derive(Clone)]
pub(crate) struct Dialer {
    inner: HttpsConnector<Route>,
    limit: Duration,
}

impl Dialer {
    /// A proxy comes with how it is spoken to if it is spoken to by TLS.
    pub(crate) fn new(
        lookup: Arc<dyn Lookup>,
        reach: Reach,
        tls: ClientConfig,
        proxy: Option<(Proxy, ClientConfig)>,
        limit: Duration,
    ) -> Self {
        let detour = proxy.map(|(proxy, tls)| {
            // The operator named the proxy, wherever it is.
            let tcp = tcp(Arc::clone(&lookup), Reach::Any, limit);
            let connector = hyper_rustls::HttpsConnectorBuilder::new()
                .with_tls_config(tls)
                .https_or_http()
                .enable_http1()
                .wrap_connector(tcp);
            Detour { proxy, connector }
        });
        let direct = tcp(lookup, reach, limit);
        let inner = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Route { direct, detour });
        Self { inner, limit }
    }
}

fn tcp(lookup: Arc<dyn Lookup>, reach: Reach, limit: Duration) -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver { lookup, reach });
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    // Shared among the addresses of a name, so that the last is tried in time.
    tcp.set_connect_timeout(Some(limit));
    tcp
}

impl Service<Uri> for Dialer {
    type Response = MaybeHttpsStream<Wire>;
    type Error = BoxError;
    type Future = Pending<Self::Response, BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let limit = self.limit;
        Box::pin(async move {
            tokio::time::timeout(limit, connecting)
                .await
                .map_err(|_| DialTimeout)?
        })
    }
}

/// The way to an origin, before its TLS: straight, or through a proxy.
#[derive(Clone)]
struct Route {
    direct: HttpConnector<Resolver>,
    detour: Option<Detour>,
}

impl Service<Uri> for Route {
    type Response = Wire;
    type Error = BoxError;
    type Future = Pending<Wire, BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The resolver is always ready, so that all connectors are when one is.
        self.direct.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let target = match Target::of(&uri) {
            Ok(target) => target,
            Err(why) => {
                return Box::pin(async move { Err(io::Error::other(why.to_string()).into()) });
            }
        };
        if let Some(detour) = self.detour.as_ref().filter(|it| it.proxy.carries(&target)) {
            return Box::pin(detour.clone().connect(target));
        }
        let connecting = self.direct.call(uri);
        Box::pin(async move { Ok(Wire::to_origin(Stream::Http(connecting.await?))) })
    }
}

/// A proxy, and how it is connected to.
#[derive(Clone)]
struct Detour {
    proxy: Proxy,
    connector: HttpsConnector<HttpConnector<Resolver>>,
}

impl Detour {
    async fn connect(mut self, target: Target) -> Result<Wire, BoxError> {
        let connected = self.connector.call(self.proxy.uri()?).await;
        let stream = connected.map_err(|error| ProxyFailure::blame(&self.proxy, error))?;
        if target.scheme == Scheme::Http {
            return Ok(Wire::to_proxy(stream));
        }
        let mut stream = TokioIo::new(stream);
        let opened = tunnel::open(&mut stream, &self.proxy, &target).await;
        opened.map_err(|error| ProxyFailure::blame(&self.proxy, error.into()))?;
        Ok(Wire::to_origin(stream.into_inner()))
    }
}
