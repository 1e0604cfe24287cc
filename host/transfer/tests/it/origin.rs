//! An origin that does what a test's script says, byte for byte.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ledge_core::range::ByteRange;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::bench::until;

/// One thing that the origin does with a connection.
#[derive(Clone)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends bytes of the object, and counts them.
    Body(Bytes),
    /// Waits until the test adds a permit.
    Wait(Arc<Semaphore>),
    /// Resets the connection: RFC 9293, section 3.5.2.
    Reset,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// How many came before it.
    pub(crate) number: usize,
    pub(crate) path: String,
    /// The whole header, as it was sent.
    header: String,
}

/// What it answers to a request; the connection is closed after it.
pub(crate) type Script = Arc<dyn Fn(&Asked) -> Vec<Step> + Send + Sync>;

/// A running origin.
pub(crate) struct Origin {
    pub(crate) url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Asked>,
    sent: u64,
}

impl Origin {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shared = seen.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, script.clone(), shared.clone()));
            }
        });
        Self { url, seen }
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        lock(&self.seen).requests.clone()
    }

    /// What each request asked for: its `Range` without the unit, or `whole`.
    pub(crate) fn ranges(&self) -> Vec<String> {
        let requests = self.requests();
        let range = |asked: &Asked| {
            let range = asked.field("range");
            range.map_or("whole".to_owned(), |range| range.replacen("bytes=", "", 1))
        };
        requests.iter().map(range).collect()
    }

    /// How many bytes of objects it gave to the network.
    pub(crate) fn sent(&self) -> u64 {
        lock(&self.seen).sent
    }

    /// Waits until so many requests came.
    pub(crate) async fn asked(&self, number: usize) {
        until(|| lock(&self.seen).requests.len() >= number).await;
    }
}

impl Asked {
    /// The value of a header field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.header.lines().filter_map(|line| line.split_once(": "));
        let mut named = fields.filter(|(given, _)| given.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value)
    }

    /// The one range that it asks for, if it does.
    pub(crate) fn range(&self) -> Option<ByteRange> {
        let ranges = ByteRange::parse_field(self.field("range")?);
        assert_eq!(ranges.len(), 1, "one range a request: {}", self.header);
        ranges.first().copied()
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(mut connection: TcpStream, script: Script, seen: Arc<Mutex<Seen>>) {
    let Some(header) = read_header(&mut connection).await else {
        return;
    };
    let path = header.split(' ').nth(1).unwrap_or_default().to_owned();
    let asked = {
        let mut seen = lock(&seen);
        let number = seen.requests.len();
        let asked = Asked {
            number,
            path,
            header,
        };
        seen.requests.push(asked.clone());
        asked
    };
    for step in script(&asked) {
        let done = match step {
            Step::Send(bytes) => connection.write_all(&bytes).await.is_ok(),
            Step::Body(bytes) => send(&mut connection, &bytes, &seen).await,
            Step::Wait(gate) => {
                gate.acquire().await.expect("an open gate").forget();
                true
            }
            Step::Reset => {
                connection.set_zero_linger().expect("a socket");
                return;
            }
        };
        if !done {
            return;
        }
    }
}

/// In small parts, so that what a client did not take is hardly counted.
async fn send(connection: &mut TcpStream, bytes: &[u8], seen: &Mutex<Seen>) -> bool {
    for part in bytes.chunks(16 * 1024) {
        if connection.write_all(part).await.is_err() {
            return false;
        }
        lock(seen).sent += part.len() as u64;
    }
    true
}

async fn read_header(connection: &mut TcpStream) -> Option<String> {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        header.push(connection.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&header).into_owned())
}

/// A header that announces `length` bytes, on a connection that closes.
pub(crate) fn ok(length: usize) -> Step {
    head(&format!("200 OK\r\ncontent-length: {length}"))
}

/// Any header.
pub(crate) fn head(status_and_fields: &str) -> Step {
    Step::Send(format!("HTTP/1.1 {status_and_fields}\r\nconnection: close\r\n\r\n").into_bytes())
}

/// The same whatever the request.
pub(crate) fn always(steps: Vec<Step>) -> Script {
    Arc::new(move |_| steps.clone())
}
