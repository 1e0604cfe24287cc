//! A reverse proxy that makes the way to an origin slow, counts what passes,
//! and holds or cuts it on demand.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use futures::stream;
use http::uri::{Authority, Parts, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::body::{self, Body};
use crate::gate::Gate;
use crate::link::{self, Link, Speed};
use crate::listen::{Listener, Service};

/// A relay in front of one origin.
#[derive(Debug)]
pub struct Relay {
    listener: Listener,
    way: Way,
}

/// What the relay's connections share.
#[derive(Debug, Clone)]
struct Way {
    origin: Authority,
    client: Client<HttpConnector, Incoming>,
    link: Link,
    gate: Gate,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    bytes: AtomicU64,
    requests: Mutex<BTreeMap<(String, String), u64>>,
}

impl Relay {
    /// Starts a relay to `origin`.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start(origin: SocketAddr, speed: Speed) -> Result<Self> {
        let way = Way {
            origin: origin.to_string().parse()?,
            client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
            link: Link::new(speed),
            gate: Gate::open(),
            counts: Arc::default(),
        };
        Ok(Self {
            listener: Listener::start(way.clone()).await?,
            way,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Holds and cuts the bodies of the origin's responses.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.way.gate
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.way.counts.connections.load(Ordering::Relaxed)
    }

    /// How many bytes of bodies left the origin.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.way.counts.bytes.load(Ordering::Relaxed)
    }

    /// How often each (method, path and query) was asked.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<(String, String), u64> {
        self.way
            .counts
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests came since the start or the last `forget`.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.requests().values().sum()
    }

    /// Sets every count to zero.
    pub fn forget(&self) {
        let counts = &self.way.counts;
        counts.connections.store(0, Ordering::Relaxed);
        counts.bytes.store(0, Ordering::Relaxed);
        counts
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Service for Way {
    async fn connected(&self) {
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        // The handshake of TCP: there and back.
        self.link.cross().await;
        self.link.cross().await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.counts.request(&request);
        self.link.cross().await;
        let answer = self.forward(request).await;
        self.link.cross().await;
        answer.unwrap_or_else(|error| bad_gateway(&error))
    }
}

impl Way {
    async fn forward(&self, mut request: Request<Incoming>) -> Result<Response<Body>> {
        let mut parts = Parts::from(request.uri().clone());
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.origin.clone());
        *request.uri_mut() = Uri::from_parts(parts)?;
        Ok(self
            .client
            .request(request)
            .await?
            .map(|body| self.paced(body)))
    }

    /// The origin's body at the link's pace.
    fn paced(&self, body: Incoming) -> Body {
        let state = (self.clone(), body, Vec::<Bytes>::new().into_iter());
        body::streamed(stream::try_unfold(
            state,
            |(way, mut body, mut ready)| async move {
                loop {
                    if let Some(piece) = ready.next() {
                        way.carry(piece.len()).await?;
                        return Ok(Some((piece, (way, body, ready))));
                    }
                    let Some(frame) = body.frame().await else {
                        return Ok(None);
                    };
                    let data = frame
                        .map_err(io::Error::other)?
                        .into_data()
                        .unwrap_or_default();
                    ready = link::pieces(data).collect::<Vec<_>>().into_iter();
                }
            },
        ))
    }

    async fn carry(&self, length: usize) -> io::Result<()> {
        self.gate.pass().await?;
        self.link.carry(length).await;
        self.counts
            .bytes
            .fetch_add(length as u64, Ordering::Relaxed);
        Ok(())
    }
}

impl Counts {
    fn request(&self, request: &Request<Incoming>) {
        let path = request
            .uri()
            .path_and_query()
            .map_or("*", |path| path.as_str());
        let key = (request.method().to_string(), path.to_owned());
        *self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_default() += 1;
    }
}

fn bad_gateway(error: &anyhow::Error) -> Response<Body> {
    let mut response = Response::new(body::full(format!("relay: {error:#}\n")));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
