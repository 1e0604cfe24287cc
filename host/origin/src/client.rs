//! Sending requests, and going where the answers send us.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy;
use tokio::time::{Instant, timeout_at};

use crate::body::OriginBody;
use crate::connect::{PrivateOnly, ProxyFailure};
use crate::error::{ClientError, DenyReason, FetchError, Wait, chain, is_timeout, root};
use crate::lookup::{Lookup, SystemLookup};
use crate::pools::Pools;
use crate::proxy::Proxy;
use crate::rules::{EgressRules, Leg, Rules};
use crate::target::{Scheme, Target};
use crate::tunnel::TunnelError;
use crate::wire::Proven;
use crate::{ClientOptions, headers, realm, redirect, retry};

/// Registries redirect once, to their object store, and that once more at most.
const MAX_REDIRECTS: usize = 5;

/// How much of a redirect's body is read so that its connection can be used
/// again. They are a line of HTML.
const REDIRECT_BODY: usize = 16 * 1024;
const REDIRECT_BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// Asks origins. Clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    rules: Rules,
    options: ClientOptions,
    pools: Pools,
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
    body: Bytes,
}

impl Client {
    /// A client that asks the system for addresses. Reads the system's
    /// certificates: call it at start.
    ///
    /// # Errors
    /// When an endpoint or a trusted host cannot be read, upstreams contradict each
    /// other, or an extra authority is no certificate.
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
        let pools = Pools::new(rules.connections(), &options, lookup)?;
        Ok(Self(Arc::new(Inner {
            rules,
            options,
            pools,
        })))
    }

    /// Sends a GET or HEAD to an absolute URI, and follows up to five redirects.
    ///
    /// Hop-by-hop fields (`Proxy-Authorization` among them), `Host` and `User-Agent`
    /// are set here, whatever the request has; `Accept-Encoding` is `identity` unless
    /// it has one. `Authorization` and `Cookie` go no further than the first scheme,
    /// host and port.
    ///
    /// # Errors
    /// Each of [`FetchError`]. An answer of any status is no error.
    pub async fn fetch(&self, request: Request<()>) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.0.options.header_timeout;
        let Some(wait) = self.0.options.retry else {
            return self.send(request, deadline).await;
        };
        let first = self.send(request.clone(), deadline).await;
        if !retry::may_help(&first) || Instant::now() + wait >= deadline {
            return first;
        }
        tokio::time::sleep(retry::jittered(wait)).await;
        self.send(request, deadline).await
    }

    async fn send(&self, request: Request<()>, deadline: Instant) -> Result<Fetched, FetchError> {
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

    /// Sends a POST to a token service that a configured origin has named as the `realm` of
    /// a Bearer challenge; nobody else is sent one. It is sent once, and follows no redirect,
    /// because its body is a secret. Fields are treated as [`Self::fetch`] does it.
    ///
    /// # Errors
    /// [`FetchError`], but for those of redirects. An answer of any status is no error.
    pub async fn post(&self, request: Request<Bytes>) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.0.options.header_timeout;
        let hop = self.0.begin_post(request)?;
        let sent = self.0.ask_once(&hop, deadline).await;
        let response = sent.map_err(|failure| failure.error)?;
        Ok(self.0.arrive(hop, response))
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
        Ok(Hop::new(leg, parts, Bytes::new()))
    }

    fn begin_post(&self, request: Request<Bytes>) -> Result<Hop, FetchError> {
        let (parts, body) = request.into_parts();
        let target = target(&parts.uri)?;
        let host = target.to_string();
        let leg = match parts.method {
            Method::POST => self.rules.begin_post(target),
            _ => Err(DenyReason::Method),
        };
        let leg = leg.map_err(|why| FetchError::Denied { host, why })?;
        Ok(Hop::new(leg, parts, body))
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
        let pool = self.pools.of(hop.leg.line);
        let forwarder = self.forwarder(&hop.leg);
        let request = hop.request(forwarder);
        let answer = timeout_at(deadline, pool.request(request)).await;
        let Ok(answer) = answer else {
            return Err(Failure::late(&hop.leg.target));
        };
        let response = answer.map_err(|error| Failure::new(&hop.leg.target, &error))?;
        if let Some(proven) = response.extensions().get::<Proven>() {
            proven.prove();
        }
        let (host, status) = (&hop.leg.target, response.status().as_u16());
        tracing::debug!(%host, method = %hop.method, status, "the origin answered");
        match forwarder {
            Some(proxy) if status == 407 => Err(Failure::of_proxy(&hop.leg.target, proxy)),
            _ => Ok(response),
        }
    }

    /// The proxy that reads the request itself, and does not only open a way.
    fn forwarder(&self, leg: &Leg) -> Option<&Proxy> {
        let proxy = self.rules.proxy(leg);
        proxy.filter(|_| leg.target.scheme == Scheme::Http)
    }
}

impl Hop {
    fn new(leg: Leg, parts: Parts, body: Bytes) -> Self {
        let mut fields = parts.headers;
        headers::prepare(&mut fields);
        Self {
            leg,
            method: parts.method,
            uri: parts.uri,
            headers: fields,
            body,
        }
    }

    fn request(&self, forwarder: Option<&Proxy>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        request.method_mut().clone_from(&self.method);
        request.uri_mut().clone_from(&self.uri);
        request.headers_mut().clone_from(&self.headers);
        if let Some(proxy) = forwarder {
            proxy.authorize(request.headers_mut());
        }
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

    /// The proxy does not let us in; the origin was not asked.
    fn of_proxy(target: &Target, proxy: &Proxy) -> Self {
        let error = ProxyFailure::new(proxy, &TunnelError::Credentials);
        Self {
            error: FetchError::Unreachable {
                host: target.to_string(),
                detail: error.to_string(),
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
