//! A small HTTP server for the kit's own origins and links.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::body::Body;

/// What answers the requests of a listener.
pub trait Service: Clone + Send + Sync + 'static {
    /// Called for every connection before it is served.
    fn connected(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// The answer to one request.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// A listener on a free port of 127.0.0.1. Dropping it closes every connection.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    connections: tokio::task::JoinHandle<()>,
}

impl Listener {
    /// Starts listening.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start(service: impl Service) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("binding a free port")?;
        let address = listener.local_addr()?;
        let connections = tokio::spawn(accept(listener, service));
        Ok(Self {
            address,
            connections,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.connections.abort();
    }
}

/// The set of connections is dropped, and they with it, when this is aborted.
async fn accept(listener: TcpListener, service: impl Service) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, service.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, service: impl Service) {
    service.connected().await;
    // Latency on loopback is the link's to make, not Nagle's.
    let _ = stream.set_nodelay(true);
    let serve = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    // A client that hangs up is nothing to tell.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), serve)
        .await;
}
