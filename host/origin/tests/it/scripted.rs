//! An origin that sends given bytes, whatever they are.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What to do with a connection's requests, one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Read a request's header, and send these bytes.
    Send(&'static [u8]),
    /// Read a request's header, and close.
    Close,
    /// Read a request's header, and leave it at that.
    Hang,
}

/// Serves one script a connection, in order. The receiver gets a number for
/// every connection that was accepted.
pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> (SocketAddr, mpsc::UnboundedReceiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    let (accepted, connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for (number, script) in scripts.into_iter().enumerate() {
            let (stream, _) = listener.accept().await.expect("accept");
            // Nobody listens when the test does not count.
            let _ = accepted.send(number);
            tokio::spawn(play(stream, script));
        }
    });
    (address, connections)
}

async fn play(mut stream: TcpStream, script: Vec<Step>) {
    for step in script {
        if !read_header(&mut stream).await {
            return;
        }
        match step {
            Step::Send(bytes) => stream.write_all(bytes).await.expect("send"),
            Step::Close => return,
            Step::Hang => std::future::pending().await,
        }
    }
}

async fn read_header(stream: &mut TcpStream) -> bool {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => header.push(byte),
            Err(_) => return false,
        }
    }
    true
}
