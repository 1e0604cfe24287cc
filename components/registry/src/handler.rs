//! One request.

use crate::ask::{Ask, Wish};
use crate::bindings::wasi::http::types::{ErrorCode, Method as WitMethod, Request, Response};
use crate::context::now;
use crate::failure::Failure;
use crate::gate::{self, Wanted};
use crate::respond::failure;
use crate::{base, blob, catalog, context, endpoints, manifest, referrers, tag, tags};
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::name::Tag;
use ledge_core::reference::Reference;
use ledge_core::route::{Method, Route, Routed};
use ledge_core::ticket::Object;

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
        Route::Base => base::answer(&upstreams, ns, &wish).await,
        Route::Catalog(page) => catalog::answer(&upstreams, ns, page).await,
        Route::Manifest { name, reference } => match reference {
            Reference::Tag(tag) => {
                let ask = ask(name, Some(tag))?;
                let wanted = || Wanted::Object(Object::Manifest(reference.clone()));
                let_in(&ask, wanted, tag::answer(&ask, tag)).await
            }
            Reference::Digest(digest) => {
                let ask = ask(name, None)?;
                let wanted = || Wanted::Object(Object::Manifest(reference.clone()));
                let_in(&ask, wanted, manifest::answer(&ask, digest)).await
            }
        },
        Route::Blob { name, digest } => {
            let ask = ask(name, None)?;
            let wanted = || Wanted::Object(Object::Blob(digest.clone()));
            let_in(&ask, wanted, blob::answer(&ask, digest)).await
        }
        Route::Tags { name, page } => {
            let ask = ask(name, None)?;
            let_in(&ask, || Wanted::Tags, tags::answer(&ask, page)).await
        }
        Route::Referrers {
            name,
            digest,
            artifact_type,
        } => {
            let ask = ask(name, None)?;
            let subject = Reference::Digest(digest.clone());
            let wanted = || Wanted::Object(Object::Manifest(subject));
            let answer = referrers::answer(&ask, digest, artifact_type.as_deref());
            let_in(&ask, wanted, answer).await
        }
    }
}

/// The answer, to whom the upstream lets in.
async fn let_in(
    ask: &Ask<'_>,
    wanted: impl FnOnce() -> Wanted,
    answer: impl Future<Output = Result<Response, Failure>>,
) -> Result<Response, Failure> {
    let answer = async {
        gate::enter(ask, wanted).await?;
        let answer = answer.await;
        if let Err(failure) = &answer
            && failure.error.kind() == ErrorKind::Unauthorized
        {
            gate::forget(ask).await;
        }
        answer
    };
    told_when(ask, answer.await).await
}

/// Where the origin said when to come back, the client is told that.
async fn told_when(ask: &Ask<'_>, answer: Result<Response, Failure>) -> Result<Response, Failure> {
    match answer {
        Err(mut failure) if failure.error.kind() == ErrorKind::Unavailable => {
            let quota = endpoints::quota(ask.upstream).await;
            if let Some(rest) = quota.resting(now()) {
                failure.fields = vec![("retry-after", rest.to_string())];
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
