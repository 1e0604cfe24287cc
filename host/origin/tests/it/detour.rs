//! A proxy made for a test: CONNECT, and the absolute form. Every name leads to
//! 127.0.0.1, so that only what went through it is found.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_bidirectional,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Lets in who sends this, if anything.
pub(crate) type Password = Option<&'static str>;

/// The first line of a request, and its Proxy-Authorization.
pub(crate) type Asked = (String, Option<String>);

pub(crate) struct Detour {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Detour {
    pub(crate) async fn start(password: Password) -> Self {
        Self::with(password, None).await
    }

    /// A proxy that is spoken to by TLS.
    pub(crate) async fn secure(config: ServerConfig) -> Self {
        Self::with(None, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn with(password: Password, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::default());
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accept");
                let (log, tls) = (Arc::clone(&log), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => carry(stream, password, log).await,
                        Some(tls) => {
                            let stream = tls.accept(stream).await.expect("TLS");
                            // A proxy has no business with our certificate.
                            assert!(stream.get_ref().1.peer_certificates().is_none());
                            carry(stream, password, log).await;
                        }
                    }
                });
            }
        });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|(line, _)| line).collect()
    }
}

/// One request a connection.
async fn carry(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    password: Password,
    log: Arc<Mutex<Vec<Asked>>>,
) {
    let mut stream = BufReader::new(stream);
    let head = head(&mut stream).await;
    let Some(line) = head.first() else { return };
    let credentials = field(&head, "proxy-authorization: ");
    let allowed = password.is_none_or(|password| credentials.as_deref() == Some(password));
    let asked = (line.clone(), credentials);
    log.lock().expect("no panic").push(asked);
    if !allowed {
        let refusal = b"HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refusal).await.expect("send");
        return;
    }
    let host = field(&head, "host: ").expect("a host");
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    let Ok(mut origin) = TcpStream::connect(format!("127.0.0.1:{port}")).await else {
        let refusal = b"HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n";
        return stream.write_all(refusal).await.expect("send");
    };
    if line.starts_with("CONNECT ") {
        let opened = b"HTTP/1.1 200 Connection established\r\n\r\n";
        stream.write_all(opened).await.expect("send");
    } else {
        let passed = forwarded(&head);
        origin.write_all(passed.as_bytes()).await.expect("send");
    }
    // Either side may hang up when it likes.
    let _ = copy_bidirectional(&mut stream, &mut origin).await;
}

async fn head(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let read = stream.read_line(&mut line).await;
        match line.trim_end() {
            // A client that was only looking, or the header's end.
            "" if read.is_ok() => return lines,
            text if read.is_ok() => lines.push(text.to_owned()),
            _ => return Vec::new(),
        }
    }
}

fn field(head: &[String], name: &str) -> Option<String> {
    head.iter().skip(1).find_map(|line| {
        let start = line.get(..name.len())?;
        start
            .eq_ignore_ascii_case(name)
            .then(|| line[name.len()..].to_owned())
    })
}

/// What an origin gets to see: nothing that was for the proxy.
fn forwarded(head: &[String]) -> String {
    let passed = head
        .iter()
        .filter(|line| !line.to_ascii_lowercase().starts_with("proxy-"));
    let lines: Vec<&str> = passed.map(String::as_str).collect();
    format!("{}\r\nconnection: close\r\n\r\n", lines.join("\r\n"))
}
