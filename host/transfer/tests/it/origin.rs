//! An origin that does what a test's script says, byte for byte.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// One thing that the origin does with a connection.
#[derive(Clone)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Waits until the test adds a permit.
    Wait(Arc<Semaphore>),
}

/// What it answers to the n-th request; the connection is closed after it.
pub(crate) type Script = Arc<dyn Fn(usize) -> Vec<Step> + Send + Sync>;

/// A running origin.
pub(crate) struct Origin {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, script.clone(), seen.clone()));
            }
        });
        Self { url, requests }
    }

    /// The header of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic holds it").clone()
    }
}

async fn answer(mut connection: TcpStream, script: Script, seen: Arc<Mutex<Vec<String>>>) {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => header.push(byte),
            Err(_) => return,
        }
    }
    let number = {
        let mut seen = seen.lock().expect("no panic holds it");
        seen.push(String::from_utf8_lossy(&header).into_owned());
        seen.len() - 1
    };
    for step in script(number) {
        match step {
            Step::Send(bytes) => {
                if connection.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Wait(gate) => gate.acquire().await.expect("an open gate").forget(),
        }
    }
}

/// A header that announces `length` bytes, on a connection that closes.
pub(crate) fn ok(length: usize) -> Step {
    head(&format!("200 OK\r\ncontent-length: {length}"))
}

/// Any header.
pub(crate) fn head(status_and_fields: &str) -> Step {
    Step::Send(format!("HTTP/1.1 {status_and_fields}\r\nconnection: close\r\n\r\n").into_bytes())
}

/// The same whatever the request's number.
pub(crate) fn always(steps: Vec<Step>) -> Script {
    Arc::new(move |_| steps.clone())
}
