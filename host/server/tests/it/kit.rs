//! Starts a server, and talks to it byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use ledge_server::{ServerOptions, Summary};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::handler::Scripted;

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handler: Scripted,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Summary>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(ServerOptions::default()).await
    }

    pub(crate) async fn with(options: ServerOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let handler = Scripted::default();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let run = ledge_server::run(listener, handler.clone(), options, shutdown);
        Self {
            address,
            handler,
            stop,
            running: tokio::spawn(run),
        }
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire(TcpStream::connect(self.address).await.expect("connect"))
    }

    /// Sends `request` on a connection of its own; everything until the server closes.
    pub(crate) async fn exchange(&self, request: &[u8]) -> String {
        let mut wire = self.connect().await;
        wire.send(request).await;
        wire.rest().await
    }

    /// A GET that asks for the connection to be closed.
    pub(crate) async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        self.exchange(request.as_bytes()).await
    }

    /// Begins the shutdown.
    pub(crate) fn stop(self) -> Stopping {
        self.stop.send(()).expect("it runs");
        Stopping(self.running)
    }
}

pub(crate) struct Stopping(JoinHandle<Summary>);

impl Stopping {
    pub(crate) async fn finished(self) -> Summary {
        within(self.0).await.expect("no panic")
    }
}

/// Waits for a permit, and takes it.
pub(crate) async fn take(semaphore: &Semaphore) {
    within(semaphore.acquire())
        .await
        .expect("is never closed")
        .forget();
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("in time")
}

pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("send");
    }

    /// Everything until the server closes in order; a reset is a failure.
    pub(crate) async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        within(self.0.read_to_end(&mut all))
            .await
            .expect("a clean end");
        String::from_utf8(all).expect("text")
    }

    /// Reads up to and including `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        while !all.ends_with(end.as_bytes()) {
            let byte = within(self.0.read_u8()).await.expect("more bytes");
            all.push(byte);
        }
        String::from_utf8(all).expect("text")
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.0
    }
}

/// The body of a response, and whether that is all of it.
pub(crate) fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").expect("a header").1
}

pub(crate) fn status(response: &str) -> &str {
    response.split(' ').nth(1).expect("a status")
}

/// The value of a header field, if it is there once.
pub(crate) fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let head = response.split("\r\n\r\n").next().expect("a header");
    let mut values = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(found, _)| *found == name)
        .map(|(_, value)| value);
    let value = values.next();
    assert!(values.next().is_none(), "{name} is there twice");
    value
}
