//! One request.

use crate::ask::{Ask, Wish};
use crate::bindings::wasi::http::types::{ErrorCode, Method as WitMethod, Request, Response};
use crate::context::now;
use crate::failure::Failure;
use crate::respond::failure;
use crate::{base, blob, catalog, context, endpoints, manifest, referrers, tag, tags};
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::name::Tag;
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
    let upstreams = context::upstreams().await?;
    let wish = Wish::read(&request, method == Method::Head, upstreams.mirror())?;
    drop(request);
    let ns = routed.ns.as_deref();
    let ask = |name, tag: Option<&Tag>| -> Result<Ask<'_>, Failure> {
        let ask = Ask::new(&upstreams, name, ns, &wish)?;
        match ask.refusal(tag, None) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(ask),
        }
    };
    match &routed.route {
        Route::Base => base::answer(),
        Route::Catalog(page) => catalog::answer(&upstreams, ns, page).await,
        Route::Manifest {
            name,
            reference: Reference::Tag(name_of_it),
        } => {
            let ask = ask(name, Some(name_of_it))?;
            told_when(&ask, tag::answer(&ask, name_of_it).await).await
        }
        Route::Manifest {
            name,
            reference: Reference::Digest(digest),
        } => {
            let ask = ask(name, None)?;
            told_when(&ask, manifest::answer(&ask, digest).await).await
        }
        Route::Blob { name, digest } => {
            let ask = ask(name, None)?;
            told_when(&ask, blob::answer(&ask, digest).await).await
        }
        Route::Tags { name, page } => {
            let ask = ask(name, None)?;
            told_when(&ask, tags::answer(&ask, page).await).await
        }
        Route::Referrers {
            name,
            digest,
            artifact_type,
        } => {
            let ask = ask(name, None)?;
            let answer = referrers::answer(&ask, digest, artifact_type.as_deref());
            told_when(&ask, answer.await).await
        }
    }
}

/// Where the origin said when to come back, the client is told that.
async fn told_when(ask: &Ask<'_>, answer: Result<Response, Failure>) -> Result<Response, Failure> {
    match answer {
        Err(mut failure) if failure.error.kind() == ErrorKind::Unavailable => {
            let quota = endpoints::quota(ask.upstream).await;
            if let Some(rest) = quota.resting(now()) {
                failure.field = Some(("retry-after", rest.to_string()));
            }
            Err(failure)
        }
        answer => answer,
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
