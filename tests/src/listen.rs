//! A small HTTP server for the kit's own origins and links.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;

use anyhow::{Context, Result};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};

use crate::body::Body;
use crate::ending::{Ending, Wire};

/// Connections that wait to be accepted: a burst of clients comes within one turn of the accepting task.
const BACKLOG: u32 = 1024;

/// What answers the requests of a listener.
pub trait Service: Clone + Send + Sync + 'static {
    /// Called for every connection before it is served.
    fn connected(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// The answer to one request. Its extensions have the connection's [`Ending`].
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// A listener on a free port of 127.0.0.1. Dropping it closes every connection.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    port: Mutex<Port>,
}

/// Accepts connections, or is only kept from others.
#[derive(Debug)]
enum Port {
    Up(JoinHandle<()>),
    /// Bound and not listening: whoever connects is refused. `None` once it failed to listen again.
    Down(Option<TcpSocket>),
}

impl Listener {
    /// Starts listening.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start(service: impl Service) -> Result<Self> {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = socket.local_addr()?;
        Ok(Self {
            address,
            port: Mutex::new(Port::Up(listening(socket, service)?)),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection and refuses new ones; the port stays its own.
    ///
    /// # Errors
    /// If somebody else took the port in between.
    pub async fn down(&self) -> Result<()> {
        let mut port = self.port.lock().await;
        if let Port::Up(accepting) = &mut *port {
            accepting.abort();
            // It was cancelled: that is no news. The port is free when it is gone.
            let _ = accepting.await;
            *port = Port::Down(Some(bound(self.address)?));
        }
        Ok(())
    }

    /// Listens again.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn up(&self, service: impl Service) -> Result<()> {
        let mut port = self.port.lock().await;
        if let Port::Down(socket) = &mut *port {
            let socket = socket.take().context("the port was lost")?;
            *port = Port::Up(listening(socket, service)?);
        }
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Port::Up(accepting) = self.port.get_mut() {
            accepting.abort();
        }
    }
}

fn bound(address: SocketAddr) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections of before may linger on it.
    socket.set_reuseaddr(true)?;
    socket
        .bind(address)
        .with_context(|| format!("binding {address}"))?;
    Ok(socket)
}

fn listening(socket: TcpSocket, service: impl Service) -> Result<JoinHandle<()>> {
    let listener = socket.listen(BACKLOG).context("listening")?;
    Ok(tokio::spawn(accept(listener, service)))
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
    let ending = Ending::default();
    let wire = TokioIo::new(Wire::new(stream, ending.clone()));
    let told = ending.clone();
    let serve = service_fn(move |mut request: Request<Incoming>| {
        let service = service.clone();
        request.extensions_mut().insert(told.clone());
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(wire, serve);
    let mut connection = pin!(connection);
    // A client that hangs up is nothing to tell.
    tokio::select! {
        _ = &mut connection => {}
        () = ending.at_once() => {}
        () = ending.finished() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
