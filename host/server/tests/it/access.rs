//! The log line of a request.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::kit::{Server, take};

/// A log in memory.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Collects what this thread logs. The tests' runtimes have one thread each.
    pub(crate) fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines of the access log, their times and ports made equal.
    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("no panic").clone();
        let text = String::from_utf8(bytes).expect("text");
        text.lines()
            .filter(|line| line.contains(" access: "))
            .map(|line| {
                let (start, rest) = line.split_once(" ms=").expect("a duration");
                let (ms, rest) = rest.split_once(' ').expect("more");
                ms.parse::<f64>().expect("a number");
                let rest = rest.rsplit_once(':').expect("a port").0;
                format!("{} ms=… {rest}:…", start.trim())
            })
            .collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn says_what_became_of_a_request() {
    let (log, _guard) = Log::start();
    let server = Server::start().await;
    for request in [
        "GET /text?token=secret",
        "GET /cached",
        "HEAD /text",
        "GET /fails",
        "GET /panics",
        "GET /chunked",
    ] {
        let request = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        server.exchange(request.as_bytes()).await;
    }
    let _ = server.stop().finished().await;
    assert_eq!(
        log.lines(),
        [
            r#"INFO access: method="GET" path="/text" status=200 bytes=5 ms=… complete=true peer=127.0.0.1:…"#,
            r#"INFO access: method="GET" path="/cached" status=200 bytes=5 ms=… cache="ledge; hit" complete=true peer=127.0.0.1:…"#,
            r#"INFO access: method="HEAD" path="/text" status=200 bytes=0 ms=… complete=true peer=127.0.0.1:…"#,
            r#"INFO access: method="GET" path="/fails" status=200 bytes=5 ms=… complete=false peer=127.0.0.1:…"#,
            r#"INFO access: method="GET" path="/panics" status=500 bytes=58 ms=… complete=true peer=127.0.0.1:…"#,
            r#"INFO access: method="GET" path="/chunked" status=200 bytes=5 ms=… complete=true peer=127.0.0.1:…"#,
        ]
    );
}

#[tokio::test]
async fn a_client_that_hung_up_is_a_499() {
    let (log, _guard) = Log::start();
    let server = Server::start().await;
    let handler = server.handler.clone();
    let mut wire = server.connect().await;
    wire.send(b"GET /waits HTTP/1.1\r\nhost: a\r\n\r\n").await;
    take(&handler.waiting).await;
    drop(wire);
    take(&handler.dropped).await;
    let _ = server.stop().finished().await;
    assert_eq!(
        log.lines(),
        [
            r#"INFO access: method="GET" path="/waits" status=499 bytes=0 ms=… complete=false peer=127.0.0.1:…"#
        ]
    );
}

#[tokio::test]
async fn a_path_cannot_forge_a_line() {
    let (log, _guard) = Log::start();
    let server = Server::start().await;
    // U+009B starts a terminal's control sequence; it is legal UTF-8.
    server.get("/\u{9b}2J\"status=200").await;
    let _ = server.stop().finished().await;
    let lines = log.lines();
    assert!(
        lines
            .iter()
            .all(|line| !line.contains('\u{9b}') && !line.contains("J\"status")),
        "{lines:?}"
    );
}
