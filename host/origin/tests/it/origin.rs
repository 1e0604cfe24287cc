//! An origin made for a test, and a client for it.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use ledge_origin::{
    Client, ClientOptions, Connection, EgressRules, FetchError, Fetched, Lookup, Lookups,
    UpstreamEgress,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
}

type Answer = Response<Full<Bytes>>;

/// What an origin was asked so far.
#[derive(Clone, Default)]
pub(crate) struct Log {
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<usize>>,
}

impl Log {
    pub(crate) fn connected(&self) {
        *self.connections.lock().expect("no panic") += 1;
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    fn asked(&self, request: &Request<Incoming>) {
        let path = request.uri().path_and_query().expect("a path");
        self.seen.lock().expect("no panic").push(Seen {
            line: format!("{} {path}", request.method()),
            headers: request.headers().clone(),
        });
    }
}

pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    log: Log,
}

impl Origin {
    /// On 127.0.0.1.
    pub(crate) async fn start(
        answer: impl Fn(&Request<Incoming>) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1", answer).await
    }

    pub(crate) async fn at(
        ip: &str,
        answer: impl Fn(&Request<Incoming>) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.expect("bind");
        let address = listener.local_addr().expect("an address");
        let log = Log::default();
        let shared = log.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accept");
                shared.connected();
                tokio::spawn(serve(stream, shared.clone(), answer.clone()));
            }
        });
        Self { address, log }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, as `METHOD path?query`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.log.seen()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.log.connections.lock().expect("no panic")
    }

    /// A client that is configured for this origin.
    pub(crate) fn client(&self, trusted: &[&str]) -> Client {
        client(&[&self.url("")], trusted)
    }
}

pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    log: Log,
    answer: impl Fn(&Request<Incoming>) -> Answer + Clone + Send + Sync + 'static,
) {
    let service = service_fn(move |request| {
        log.asked(&request);
        let answered = answer(&request);
        async move { Ok::<_, Infallible>(answered) }
    });
    let io = TokioIo::new(stream);
    let server = auto::Builder::new(TokioExecutor::new());
    // The client may close when it likes.
    let _ = server.serve_connection(io, service).await;
}

pub(crate) fn text(text: &'static str) -> Answer {
    Response::new(Full::from(text))
}

pub(crate) fn redirect(to: &str) -> Answer {
    with(StatusCode::TEMPORARY_REDIRECT, "location", to)
}

pub(crate) fn with(status: StatusCode, name: &'static str, value: &str) -> Answer {
    let mut response = text("see the header");
    *response.status_mut() = status;
    let value = value.parse().expect("a value");
    response.headers_mut().insert(name, value);
    response
}

/// Short enough to be waited for, long enough for a busy machine to do anything else in.
pub(crate) fn options() -> ClientOptions {
    ClientOptions {
        connect_timeout: Duration::from_secs(1),
        header_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_secs(1),
        ..ClientOptions::default()
    }
}

pub(crate) fn rules(endpoints: &[&str], trusted: &[&str]) -> EgressRules {
    EgressRules::new(vec![upstream("test", endpoints, trusted)])
}

pub(crate) fn upstream(name: &str, endpoints: &[&str], trusted: &[&str]) -> UpstreamEgress {
    UpstreamEgress {
        name: name.to_owned(),
        endpoints: endpoints
            .iter()
            .map(|url| url.parse().expect(url))
            .collect(),
        trusted_hosts: trusted.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn client(endpoints: &[&str], trusted: &[&str]) -> Client {
    Client::new(rules(endpoints, trusted), options()).expect("a client")
}

/// Resolves every name to one address, `nowhere` to none, and `never` never.
pub(crate) struct Names(pub(crate) IpAddr);

impl Lookup for Names {
    fn lookup(&self, host: &str) -> Lookups {
        let address = self.0;
        match host {
            "never.example" => Box::pin(std::future::pending()),
            "nowhere.example" => Box::pin(async { Err(io::Error::other("no such name")) }),
            _ => Box::pin(async move { Ok(vec![address]) }),
        }
    }
}

/// A client whose names all lead to 127.0.0.1.
pub(crate) fn named_client(endpoints: &[&str], trusted: &[&str]) -> Client {
    let lookup = Arc::new(Names(IpAddr::from([127, 0, 0, 1])));
    Client::with_lookup(rules(endpoints, trusted), options(), lookup).expect("a client")
}

/// The same, with settings for its connections.
pub(crate) fn connected_client(
    endpoints: &[&str],
    trusted: &[&str],
    connection: Connection,
) -> Client {
    let upstream = upstream("test", endpoints, trusted);
    let rules = EgressRules::with_connections(vec![(upstream, connection)]);
    let lookup = Arc::new(Names(IpAddr::from([127, 0, 0, 1])));
    Client::with_lookup(rules, options(), lookup).expect("a client")
}

pub(crate) async fn get(client: &Client, url: &str) -> Result<Fetched, FetchError> {
    let request = Request::get(url).body(()).expect("a request");
    client.fetch(request).await
}

/// GET; the error's text.
pub(crate) async fn error(client: &Client, url: &str) -> String {
    get(client, url).await.expect_err(url).to_string()
}

pub(crate) async fn read(fetched: Fetched) -> Result<Bytes, FetchError> {
    let collected = fetched.response.into_body().collect().await;
    collected.map(http_body_util::Collected::to_bytes)
}
