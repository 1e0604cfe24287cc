//! Sending requests, and going where the answers send us.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};

use crate::body::OriginBody;
use crate::connect::{DialTimeout, Dialer, PrivateOnly, Proven};
use crate::error::{ClientError, DenyReason, FetchError, Wait, chain, root};
use crate::lookup::{Lookup, SystemLookup};
use crate::rules::{EgressRules, Leg, Reach, Rules};
use crate::target::Target;
use crate::{ClientOptions, headers, realm, redirect, tls};

/// Registries redirect once, to their object store, and that once more at most.
const MAX_REDIRECTS: usize = 5;

/// The largest header set of an answer, the same as the server takes of a
/// request. For HTTP/1.1 it is the size from which hyper reads no further: up to
/// twice as much may have come with the last read.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Shorter than the 60 s after which common load balancers drop idle
/// connections (AWS's, nginx's), so that we are the one who closes.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// Finds out that an HTTP/2 connection is dead before many requests have waited on it.
const H2_PING_EVERY: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What an origin may send on one stream before we have read it: enough for
/// 400 Mbit/s at 80 ms, where the protocol's 64 KiB would give 6.
const H2_STREAM_WINDOW: u32 = 4 * 1024 * 1024;

/// The same for a connection: a few such streams.
const H2_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// How much of a redirect's body is read so that its connection can be used
/// again. They are a line of HTML.
const REDIRECT_BODY: usize = 16 * 1024;
const REDIRECT_BODY_TIMEOUT: Duration = Duration::from_secs(1);

type Pool = legacy::Client<Dialer, Empty<Bytes>>;

/// Asks origins. Clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    rules: Rules,
    options: ClientOptions,
    // Two, so that a connection to a private address is never used by who may
    // not have one.
    public: Pool,
    any: Pool,
}

/// An origin's answer.
#[derive(Debug)]
pub struct Fetched {
    /// The answer, without hop-by-hop fields.
    pub response: Response<OriginBody>,
    /// Whom it is from, after redirects. It may be signed: a secret.
    pub final_uri: Uri,
}

/// A request at one of its stations.
struct Hop {
    leg: Leg,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Client {
    /// A client that asks the system for addresses. Reads the system's
    /// certificates: call it at start.
    ///
    /// # Errors
    /// When an endpoint or a trusted host cannot be read, or an extra authority
    /// is no certificate.
    pub fn new(rules: EgressRules, options: ClientOptions) -> Result<Self, ClientError> {
        Self::with_lookup(rules, options, Arc::new(SystemLookup))
    }

    /// A client that asks `lookup` for addresses.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_lookup(
        rules: EgressRules,
        options: ClientOptions,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, ClientError> {
        let rules = Rules::parse(rules)?;
        let tls = tls::configuration(&options.extra_roots)?;
        let public = pool(Arc::clone(&lookup), Reach::Public, tls.clone(), &options);
        let any = pool(lookup, Reach::Any, tls, &options);
        Ok(Self(Arc::new(Inner {
            rules,
            options,
            public,
            any,
        })))
    }

    /// Sends a GET or HEAD to an absolute URI, and follows up to five redirects.
    ///
    /// Hop-by-hop fields, `Host` and `User-Agent` are set here, whatever the
    /// request has; `Accept-Encoding` is `identity` unless it has one.
    /// `Authorization`, `Cookie` and `Proxy-Authorization` go no further than
    /// the first scheme, host and port.
    ///
    /// # Errors
    /// Each of [`FetchError`]. An answer of any status is no error.
    pub async fn fetch(&self, request: Request<()>) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.0.options.header_timeout;
        let mut hop = self.0.begin(request)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.0.ask(&hop, deadline).await?;
            let next = redirect::location(response.status(), response.headers(), &hop.uri);
            let Some(next) = next else {
                return Ok(self.0.arrive(hop, response));
            };
            discard(response.into_body());
            let next = next.map_err(|why| FetchError::BadRedirect {
                host: hop.leg.target.to_string(),
                why,
            })?;
            self.0.go_on(&mut hop, next)?;
        }
        Err(FetchError::TooManyRedirects {
            host: hop.leg.target.to_string(),
        })
    }
}

impl Inner {
    fn begin(&self, request: Request<()>) -> Result<Hop, FetchError> {
        let (parts, ()) = request.into_parts();
        let target = target(&parts.uri)?;
        let host = target.to_string();
        if parts.method != Method::GET && parts.method != Method::HEAD {
            let why = DenyReason::Method;
            return Err(FetchError::Denied { host, why });
        }
        let leg = self.rules.begin(target);
        let leg = leg.map_err(|why| FetchError::Denied { host, why })?;
        let mut fields = parts.headers;
        headers::prepare(&mut fields);
        Ok(Hop {
            leg,
            method: parts.method,
            uri: parts.uri,
            headers: fields,
        })
    }

    fn go_on(&self, hop: &mut Hop, uri: Uri) -> Result<(), FetchError> {
        let target = target(&uri)?;
        let host = target.to_string();
        let leg = self.rules.redirect(&hop.leg, target);
        let leg = leg.map_err(|why| FetchError::Denied { host, why })?;
        if leg.target != hop.leg.target {
            headers::strip_credentials(&mut hop.headers);
        }
        hop.leg = leg;
        hop.uri = uri;
        Ok(())
    }

    fn arrive(&self, hop: Hop, response: Response<Incoming>) -> Fetched {
        let (mut parts, body) = response.into_parts();
        if parts.status == StatusCode::UNAUTHORIZED {
            for realm in realm::realms(&parts.headers) {
                self.rules.learn(&hop.leg, &realm);
            }
        }
        headers::strip_hop_by_hop(&mut parts.headers);
        let host = hop.leg.target.to_string();
        let body = OriginBody::new(body, host, self.options.idle_timeout);
        Fetched {
            response: Response::from_parts(parts, body),
            final_uri: hop.uri,
        }
    }

    /// One request, one answer. A connection that the origin closed while it was
    /// idle is replaced once (RFC 9110, section 9.2.2: GET and HEAD may be repeated).
    async fn ask(&self, hop: &Hop, deadline: Instant) -> Result<Response<Incoming>, FetchError> {
        match self.ask_once(hop, deadline).await {
            Err(Failure { stale: true, .. }) => self.ask_once(hop, deadline).await,
            other => other,
        }
        .map_err(|failure| failure.error)
    }

    async fn ask_once(&self, hop: &Hop, deadline: Instant) -> Result<Response<Incoming>, Failure> {
        let pool = match hop.leg.reach {
            Reach::Public => &self.public,
            Reach::Any => &self.any,
        };
        let answer = timeout_at(deadline, pool.request(hop.request())).await;
        let Ok(answer) = answer else {
            return Err(Failure::late(&hop.leg.target));
        };
        let response = answer.map_err(|error| Failure::new(&hop.leg.target, &error))?;
        if let Some(proven) = response.extensions().get::<Proven>() {
            proven.prove();
        }
        let (host, status) = (&hop.leg.target, response.status().as_u16());
        tracing::debug!(%host, method = %hop.method, status, "the origin answered");
        Ok(response)
    }
}

impl Hop {
    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        request.method_mut().clone_from(&self.method);
        request.uri_mut().clone_from(&self.uri);
        request.headers_mut().clone_from(&self.headers);
        request
    }
}

/// Why a request has no answer, and whether that may be an old connection's fault.
struct Failure {
    error: FetchError,
    stale: bool,
}

impl Failure {
    fn late(target: &Target) -> Self {
        Self {
            error: FetchError::Timeout {
                host: target.to_string(),
                wait: Wait::Header,
            },
            stale: false,
        }
    }

    fn new(target: &Target, error: &legacy::Error) -> Self {
        Self {
            error: explain(target.to_string(), error),
            stale: was_proven(error),
        }
    }
}

/// Whether the connection had brought an answer before it broke.
fn was_proven(error: &legacy::Error) -> bool {
    let mut extensions = http::Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extensions);
    }
    extensions.get::<Proven>().is_some_and(Proven::is_proven)
}

fn explain(host: String, error: &legacy::Error) -> FetchError {
    if chain(error).any(|cause| cause.is::<PrivateOnly>()) {
        let why = DenyReason::PrivateAddress;
        return FetchError::Denied { host, why };
    }
    if !error.is_connect() {
        let detail = root(error);
        return FetchError::Protocol { host, detail };
    }
    if chain(error).any(is_timeout) {
        let wait = Wait::Connect;
        return FetchError::Timeout { host, wait };
    }
    let detail = root(error);
    FetchError::Unreachable { host, detail }
}

fn is_timeout(cause: &(dyn std::error::Error + 'static)) -> bool {
    let io = cause.downcast_ref::<io::Error>();
    cause.is::<DialTimeout>() || io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
}

fn target(uri: &Uri) -> Result<Target, FetchError> {
    Target::of(uri).map_err(|why| FetchError::Denied {
        host: uri.host().unwrap_or_default().to_owned(),
        why,
    })
}

/// Reads a body that nobody wants, beside the request that goes on.
fn discard(body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    let read = Limited::new(body, REDIRECT_BODY).collect();
    tokio::spawn(async move {
        // Whatever comes of it, the connection is used again or dropped.
        let _ = tokio::time::timeout(REDIRECT_BODY_TIMEOUT, read).await;
    });
}

fn pool(lookup: Arc<dyn Lookup>, reach: Reach, tls: ClientConfig, options: &ClientOptions) -> Pool {
    let dialer = Dialer::new(lookup, reach, tls, options.connect_timeout);
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(options.max_idle_per_host)
        .http1_max_buf_size(MAX_HEADER_BYTES as usize)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_initial_stream_window_size(H2_STREAM_WINDOW)
        .http2_initial_connection_window_size(H2_CONNECTION_WINDOW)
        .http2_keep_alive_interval(H2_PING_EVERY)
        .http2_keep_alive_timeout(H2_PING_TIMEOUT)
        .build(dialer)
}
