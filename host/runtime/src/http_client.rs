//! `wasi:http/client`: the component's way to the configured origins.
//!
//! Requests leave through the one client of the host, whose egress rules say where
//! to. It follows redirects itself. Those that leave have no body, but for the forms
//! that token services take.

use std::sync::{Arc, LazyLock};

use http::{HeaderName, Method, Request};
use http_body_util::{BodyExt, Limited};
use ledge_origin::{Client, FetchError, Fetched};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

type Sent = (
    http::Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

/// wasmtime's own rule, kept: by default it makes the list anew for every field of
/// every request and response.
static FORBIDDEN: LazyLock<[HeaderName; 9]> = LazyLock::new(|| DEFAULT_FORBIDDEN_HEADERS);
static IS_FORBIDDEN: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name| FORBIDDEN.contains(name)));

/// The longest form. Refresh tokens have a few KiB; this is as much as a token service's
/// answer may have.
const FORM_BYTES: usize = 64 * 1024;

/// Sends what a component asks for.
#[derive(Clone)]
pub(crate) struct Hooks(pub(crate) Client);

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        FORBIDDEN.contains(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        IS_FORBIDDEN.clone()
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let client = self.0.clone();
        Box::new(async move {
            let fetched = send(&client, request).await?;
            let response = fetched.response.map(|body| {
                body.map_err(|error| {
                    tracing::debug!(%error, "an origin's body broke off");
                    Error::HttpResponseIncomplete
                })
                .boxed_unsync()
            });
            let done: Box<dyn Future<Output = _> + Send> = Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}

async fn send(client: &Client, request: Request<WasiBody>) -> Result<Fetched, Error> {
    let (head, body) = request.into_parts();
    let sent = if head.method == Method::POST {
        let form = Limited::new(body, FORM_BYTES).collect().await;
        let form = form.map_err(|_| Error::HttpRequestBodySize(None))?;
        let request = Request::from_parts(head, form.to_bytes());
        client.post(request).await
    } else {
        // The client refuses other methods that could have a body.
        client.fetch(Request::from_parts(head, ())).await
    };
    sent.map_err(|error| refused(&error))
}

/// The component learns the kind; people learn the rest from the log.
fn refused(error: &FetchError) -> Error {
    tracing::warn!(%error, "a component's request failed");
    match error {
        FetchError::Denied { .. } => Error::HttpRequestDenied,
        FetchError::Timeout { .. } => Error::HttpResponseTimeout,
        FetchError::TooManyRedirects { .. } | FetchError::BadRedirect { .. } => Error::LoopDetected,
        FetchError::Unreachable { .. } => Error::DestinationUnavailable,
        FetchError::Protocol { .. } => Error::HttpProtocolError,
    }
}
