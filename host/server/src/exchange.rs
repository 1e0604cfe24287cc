//! One request and its response.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, response};
use http_body::Body;
use hyper::body::Incoming;

use crate::Handler;
use crate::access::Record;
use crate::activity::Activity;
use crate::body::{Content, Sent};
use crate::refusal;

/// What the requests of a connection share.
pub(crate) struct Shared<H> {
    pub(crate) handler: H,
    pub(crate) peer: SocketAddr,
    pub(crate) activity: Arc<Activity>,
}

/// Has the handler answer, and makes the answer fit to be sent.
pub(crate) async fn answer<H: Handler>(
    shared: Arc<Shared<H>>,
    request: Request<Incoming>,
) -> Result<Response<Sent<H::Body>>, Infallible> {
    let mut record = Record::begin(Arc::clone(&shared.activity), &request, shared.peer);
    let (method, version) = (request.method().clone(), request.version());
    let handled = unless_panics(shared.handler.handle(request, shared.peer)).await;
    let (parts, content) = match handled {
        Some(response) => fit(&method, response),
        None => failed("the handler panicked"),
    };
    record.answered(&parts, length(&content));
    let mut body = Sent::new(content, record);
    if version == Version::HTTP_2 {
        body = body.read();
    }
    Ok(Response::from_parts(parts, body))
}

/// What the future resolves to; `None` if it panics. The panic's own message
/// goes where the process's panic hook sends it.
async fn unless_panics<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        // The future is not touched again, and what it shares with others is
        // behind locks that tell of a panic.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

fn fit<B: Body>(method: &Method, response: Response<B>) -> (response::Parts, Content<B>) {
    let (mut parts, body) = response.into_parts();
    let exact = body.size_hint().exact();
    if bodiless(parts.status) {
        // RFC 9110, section 8.6: none with 204, and for 304 it may be left out.
        parts.headers.remove(CONTENT_LENGTH);
        return (parts, Content::Nothing);
    }
    if method == Method::HEAD {
        describe(&mut parts, exact);
        return (parts, Content::Nothing);
    }
    if contradicts(&parts, exact) {
        return failed("a response's content-length is not its body's length");
    }
    (parts, Content::Handler { body })
}

/// RFC 9110, sections 15.3.5 and 15.4.5.
fn bodiless(status: StatusCode) -> bool {
    status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

/// Gives a response to HEAD the length that GET would have had. An empty body
/// says nothing: the handler may have left it out itself.
fn describe(parts: &mut response::Parts, exact: Option<u64>) {
    if let Some(exact @ 1..) = exact {
        let headers = &mut parts.headers;
        headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(exact));
    }
}

/// Whether the announced length would make the client misread what follows.
fn contradicts(parts: &response::Parts, exact: Option<u64>) -> bool {
    match (parts.headers.get(CONTENT_LENGTH), exact) {
        (Some(announced), Some(exact)) => digits(announced) != Some(exact),
        _ => false,
    }
}

/// RFC 9110, section 8.6: digits and nothing else, not even a sign.
fn digits(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    let all = text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

fn length<B: Body>(content: &Content<B>) -> Option<u64> {
    match content {
        Content::Handler { body } => body.size_hint().exact(),
        Content::Text { text } => text.as_ref().map(|text| text.len() as u64),
        Content::Nothing => Some(0),
    }
}

fn failed<B>(why: &'static str) -> (response::Parts, Content<B>) {
    tracing::error!("{why}");
    let (parts, text) = refusal::failed();
    (parts, Content::Text { text: Some(text) })
}
