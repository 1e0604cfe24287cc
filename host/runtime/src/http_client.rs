//! `wasi:http/client`: the component's way to the configured origins.
//!
//! Only bodiless requests leave, through the one client of the host, whose
//! egress rules say where to. It follows redirects itself.

use std::sync::{Arc, LazyLock};

use http::{HeaderName, Request};
use http_body_util::BodyExt;
use ledge_origin::{Client, FetchError};
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
            // The client refuses methods that could have a body.
            let (head, _) = request.into_parts();
            let fetched = client
                .fetch(Request::from_parts(head, ()))
                .await
                .map_err(|error| refused(&error))?;
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
