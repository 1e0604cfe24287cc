//! One request.

use crate::ask::{Ask, Wish};
use crate::bindings::wasi::http::types::{ErrorCode, Method as WitMethod, Request, Response};
use crate::failure::Failure;
use crate::respond::failure;
use crate::{base, blob, catalog, context, manifest, referrers, tag, tags};
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::reference::Reference;
use ledge_core::route::{Method, Route, Routed};

/// Answers a request. Every failure is an answer, unless not even that can be made.
pub(crate) async fn handle(request: Request) -> Result<Response, ErrorCode> {
    match answer(request).await {
        Ok(response) => Ok(response),
        Err(error) => failure(error),
    }
}

async fn answer(request: Request) -> Result<Response, Failure> {
    let method = method(&request.get_method());
    let target = request.get_path_with_query().unwrap_or_default();
    let routed = Routed::parse(method, &target)?;
    if routed.route == Route::Base {
        return base::answer();
    }
    let wish = Wish::read(&request, method == Method::Head);
    drop(request);
    let upstreams = context::upstreams().await?;
    let ns = routed.ns.as_deref();
    let ask = |name| Ask::new(&upstreams, name, ns, &wish);
    match &routed.route {
        Route::Base => base::answer(),
        Route::Catalog(page) => catalog::answer(&upstreams, ns, page).await,
        Route::Manifest {
            name,
            reference: Reference::Tag(name_of_it),
        } => tag::answer(&ask(name)?, name_of_it).await,
        Route::Manifest {
            name,
            reference: Reference::Digest(digest),
        } => manifest::answer(&ask(name)?, digest).await,
        Route::Blob { name, digest } => blob::answer(&ask(name)?, digest).await,
        Route::Tags { name, page } => tags::answer(&ask(name)?, page).await,
        Route::Referrers {
            name,
            digest,
            artifact_type,
        } => referrers::answer(&ask(name)?, digest, artifact_type.as_deref()).await,
    }
}

const fn method(method: &WitMethod) -> Method {
    match method {
        WitMethod::Get => Method::Get,
        WitMethod::Head => Method::Head,
        _ => Method::Other,
    }
}

impl From<ErrorCode> for Failure {
    /// A response could not be made: our own fault.
    fn from(error: ErrorCode) -> Self {
        eprintln!("{error}");
        ApiError::new(ErrorKind::Internal, "the response could not be made").into()
    }
}
