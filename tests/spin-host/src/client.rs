//! `wasi:http/client`: requests to the hosts that the manifest allows, over pooled connections.
//!
//! As Spin's (`crates/factor-outbound-http/src/wasi.rs`) it follows no redirect, and waits ten minutes where the
//! component does not say for how long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::egress::Allowed;

/// How long Spin waits unless the component says so.
const PATIENCE: Duration = Duration::from_secs(600);

/// Sends what the component asks for. Clones share connections.
#[derive(Clone)]
pub(crate) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, WasiBody>,
    allowed: Allowed,
}

type Answered = Result<Response<WasiBody>, Error>;

type Sent = (
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

impl Client {
    pub(crate) fn new(allowed: Allowed) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = rustls::crypto::ring::default_provider();
        let tls = ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .context("no TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        Ok(Self {
            pool: Pool::builder(TokioExecutor::new()).build(connector),
            allowed,
        })
    }

    async fn send(self, request: Request<WasiBody>, options: RequestOptions) -> Answered {
        let uri = request.uri().clone();
        if !self.allowed.allows(&uri) {
            eprintln!("egress: {} is not in allowed_outbound_hosts", origin(&uri));
            return Err(Error::HttpRequestDenied);
        }
        let first = options.first_byte_timeout.unwrap_or(PATIENCE);
        let connect = options.connect_timeout.unwrap_or(PATIENCE);
        // The pool does not tell connecting from waiting, so the two times count together.
        let answered = timeout(first.saturating_add(connect), self.pool.request(request)).await;
        let response = answered.map_err(|_| Error::HttpResponseTimeout)?;
        let response = response.map_err(|error| {
            eprintln!("egress: {}: {:#}", origin(&uri), anyhow::Error::from(error));
            Error::ConnectionRefused
        })?;
        let between = options.between_bytes_timeout.unwrap_or(PATIENCE);
        Ok(response.map(|body| Timed::new(body, between).boxed_unsync()))
    }
}

/// What may be logged of a URL.
fn origin(uri: &http::Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().map(http::uri::Authority::as_str);
    format!("{scheme}://{}", authority.unwrap_or_default())
}

impl WasiHttpHooks for Client {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let client = self.clone();
        Box::new(async move {
            let response = client.send(request, options.unwrap_or_default()).await?;
            let done: Box<dyn Future<Output = _> + Send> = Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}

pin_project_lite::pin_project! {
    /// A body whose frames have to come in time.
    struct Timed {
        #[pin]
        body: Incoming,
        // From the moment that a frame is waited for: most are there when they are asked for.
        #[pin]
        sleep: Option<Sleep>,
        between: Duration,
    }
}

impl Timed {
    fn new(body: Incoming, between: Duration) -> Self {
        Self {
            body,
            sleep: None,
            between,
        }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut this = self.project();
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            this.sleep.set(None);
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep(*this.between)));
        }
        if let Some(sleep) = this.sleep.as_pin_mut() {
            ready!(sleep.poll(cx));
        }
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
