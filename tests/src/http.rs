//! A small HTTP client: a connection a request, nothing retried, nothing
//! followed, so that a test sees exactly what the server did.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
pub use http::Method;
use http::{HeaderMap, Request as HttpRequest, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::digest;

/// How long one exchange may take: far above anything that a test provokes.
const BOUND: Duration = Duration::from_secs(60);

/// A request to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    transport: Transport,
}

#[derive(Debug, Clone)]
enum Transport {
    Http1,
    Http2,
    Unix(PathBuf),
}

/// GET `path` at `address`.
///
/// # Panics
/// If the path is no path: tests of those write raw bytes.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> Request {
    Request::new(Method::GET, address, path)
}

/// HEAD `path` at `address`.
///
/// # Panics
/// As `get`.
#[must_use]
pub fn head(address: SocketAddr, path: &str) -> Request {
    Request::new(Method::HEAD, address, path)
}

impl Request {
    /// Any method.
    ///
    /// # Panics
    /// If the path is no path.
    #[must_use]
    pub fn new(method: Method, address: SocketAddr, path: &str) -> Self {
        let uri = format!("http://{address}{path}")
            .parse()
            .expect("a path and query");
        Self {
            method,
            uri,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            transport: Transport::Http1,
        }
    }

    /// Any method over a Unix socket.
    ///
    /// # Panics
    /// If the path is no path.
    #[must_use]
    pub fn unix(method: Method, socket: PathBuf, path: &str) -> Self {
        let uri = format!("http://localhost{path}")
            .parse()
            .expect("a path and query");
        Self {
            method,
            uri,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            transport: Transport::Unix(socket),
        }
    }

    /// Adds a header field.
    ///
    /// # Panics
    /// If the name or the value cannot stand in HTTP.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .append(name, value.parse().expect("a header value"));
        self
    }

    /// Gives it a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Speaks HTTP/2 with prior knowledge.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.transport = Transport::Http2;
        self
    }

    /// Sends it, and returns when the header of the answer is in.
    ///
    /// # Errors
    /// If there is no connection or no answer.
    pub async fn send(self) -> Result<Streaming> {
        let what = format!("{} {}", self.method, self.uri);
        let response = tokio::time::timeout(BOUND, self.exchange())
            .await
            .with_context(|| format!("no answer in {BOUND:?} to {what}"))?
            .with_context(|| what.clone())?;
        let (head, body) = response.into_parts();
        Ok(Streaming {
            what,
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }

    /// Sends it, and returns the whole answer.
    ///
    /// # Errors
    /// If there is no connection or no answer, or its body is cut.
    pub async fn fetch(self) -> Result<Answer> {
        self.send().await?.rest().await
    }

    async fn exchange(self) -> Result<Response<Incoming>> {
        let authority = self.uri.authority().context("an authority")?.clone();
        match self.transport.clone() {
            Transport::Unix(path) => self.http1(UnixStream::connect(path).await?).await,
            Transport::Http1 => {
                self.http1(TcpStream::connect(authority.as_str()).await?)
                    .await
            }
            Transport::Http2 => {
                let io = TokioIo::new(TcpStream::connect(authority.as_str()).await?);
                let (mut sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                let request = self.message(self.uri.clone())?;
                Ok(sender.send_request(request).await?)
            }
        }
    }

    async fn http1(
        self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Response<Incoming>> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
        tokio::spawn(connection);
        let path = self
            .uri
            .path_and_query()
            .context("a path")?
            .as_str()
            .parse()?;
        let mut request = self.message(path)?;
        let authority = self.uri.authority().context("an authority")?;
        request
            .headers_mut()
            .insert("host", authority.as_str().parse()?);
        Ok(sender.send_request(request).await?)
    }

    fn message(&self, uri: Uri) -> Result<HttpRequest<Full<Bytes>>> {
        let mut request = HttpRequest::builder()
            .method(&self.method)
            .uri(uri)
            .body(Full::new(self.body.clone()))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub struct Streaming {
    what: String,
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    body: Incoming,
}

impl Streaming {
    /// The next bytes; `None` at the announced end.
    ///
    /// # Errors
    /// If the connection is cut before the announced end, or nothing comes.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let frame = tokio::time::timeout(BOUND, self.body.frame())
                .await
                .with_context(|| format!("nothing came for {BOUND:?} of {}", self.what))?;
            match frame.transpose()?.map(hyper::body::Frame::into_data) {
                None => return Ok(None),
                Some(Ok(data)) => return Ok(Some(data)),
                Some(Err(_trailers)) => {}
            }
        }
    }

    /// At least `count` bytes of the body.
    ///
    /// # Errors
    /// If the body ends or is cut before.
    pub async fn at_least(&mut self, count: usize) -> Result<Bytes> {
        let mut bytes = BytesMut::new();
        while bytes.len() < count {
            match self.chunk().await? {
                Some(chunk) => bytes.extend_from_slice(&chunk),
                None => bail!("{} ended after {} of {count} bytes", self.what, bytes.len()),
            }
        }
        Ok(bytes.freeze())
    }

    /// The whole answer.
    ///
    /// # Errors
    /// If the body is cut.
    pub async fn rest(mut self) -> Result<Answer> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: self.status,
            headers: self.headers,
            body: body.freeze(),
        })
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// One header field; empty if it is missing or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The digest of the body.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::of(&self.body)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// If it is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("no JSON: {}", self.text()))
    }

    /// The code of the first error of the specification's error JSON; empty if there is none.
    #[must_use]
    pub fn code(&self) -> String {
        let json = self.json().unwrap_or_default();
        json["errors"][0]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}
