//! A handler whose path says what it does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use ledge_server::Handler;
use tokio::sync::Semaphore;

/// How much of [`big`] a frame holds.
pub(crate) const FRAME: usize = 64 * 1024;

/// Much more than kernels hold for a client that reads nothing, and no two frames alike.
pub(crate) fn big() -> Bytes {
    (0..16 << 20).map(|at: u32| (at % 251) as u8).collect()
}

/// The length of [`big`].
const BIG: &str = "16777216";

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Tells of what it is doing, and waits where it is told to.
#[derive(Clone)]
pub(crate) struct Scripted {
    /// One permit for every request that has begun to wait.
    pub(crate) waiting: Arc<Semaphore>,
    /// One permit lets one wait end.
    pub(crate) release: Arc<Semaphore>,
    /// One permit for every response that was given up while it waited.
    pub(crate) dropped: Arc<Semaphore>,
    /// How many bytes of `/big` were handed over.
    pub(crate) taken: Arc<AtomicUsize>,
}

impl Default for Scripted {
    fn default() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        Self {
            waiting: none(),
            release: none(),
            dropped: none(),
            taken: Arc::default(),
        }
    }
}

/// Adds a permit when it is dropped unless told not to.
struct Tell(Option<Arc<Semaphore>>);

impl Drop for Tell {
    fn drop(&mut self) {
        if let Some(semaphore) = &self.0 {
            semaphore.add_permits(1);
        }
    }
}

impl Handler for Scripted {
    type Body = Body;

    async fn handle(&self, request: Request<Incoming>, _: SocketAddr) -> Response<Body> {
        match request.uri().path() {
            "/text" => announce(full("hello"), "5"),
            "/cached" => with_cache_status(full("hello")),
            "/chunked" => Response::new(parts(vec![Ok("hel"), Ok("lo")])),
            "/fails" => announce(Response::new(parts(vec![Ok("hello"), Err(())])), "10"),
            "/fails-chunked" => Response::new(parts(vec![Ok("hello"), Err(())])),
            "/short" => announce(Response::new(parts(vec![Ok("hello"), Ok("")])), "10"),
            "/lies" => announce(full("hello"), "3"),
            "/panics" => panic!("as it was told to"),
            "/panics-later" => Response::new(panicking()),
            "/no-content" => status(announce(full("hello"), "5"), StatusCode::NO_CONTENT),
            "/not-modified" => status(announce(full("hello"), "5"), StatusCode::NOT_MODIFIED),
            "/waits" => self.wait_then_answer().await,
            "/waits-in-body" => self.answer_then_wait(),
            "/big" => self.big(),
            "/upload" => upload(request).await,
            other => status(full(&format!("no {other}")), StatusCode::NOT_FOUND),
        }
    }
}

impl Scripted {
    async fn wait_then_answer(&self) -> Response<Body> {
        let mut tell = Tell(Some(Arc::clone(&self.dropped)));
        self.wait().await;
        tell.0 = None;
        full("hello")
    }

    fn answer_then_wait(&self) -> Response<Body> {
        let this = self.clone();
        let tell = Tell(Some(Arc::clone(&self.dropped)));
        let frames = stream::unfold((0, this, tell), async |(step, this, mut tell)| match step {
            0 => Some((frame(Ok("hel")), (1, this, tell))),
            1 => {
                this.wait().await;
                tell.0 = None;
                Some((frame(Ok("lo")), (2, this, tell)))
            }
            _ => None,
        });
        announce(Response::new(StreamBody::new(frames).boxed_unsync()), "5")
    }

    /// [`big`], a frame at a time.
    fn big(&self) -> Response<Body> {
        let tell = Tell(Some(Arc::clone(&self.dropped)));
        let taken = Arc::clone(&self.taken);
        let frames = stream::unfold((big(), taken, tell), async |(mut left, taken, mut tell)| {
            if left.is_empty() {
                tell.0 = None;
                return None;
            }
            let frame = left.split_to(FRAME);
            taken.fetch_add(FRAME, Ordering::Relaxed);
            Some((Ok(Frame::data(frame)), (left, taken, tell)))
        });
        announce(Response::new(StreamBody::new(frames).boxed_unsync()), BIG)
    }

    async fn wait(&self) {
        self.waiting.add_permits(1);
        let permit = self.release.acquire().await.expect("is never closed");
        permit.forget();
    }
}

async fn upload(request: Request<Incoming>) -> Response<Body> {
    match request.into_body().collect().await {
        Ok(body) => full(&format!("{} bytes", body.to_bytes().len())),
        Err(_) => status(full("broken"), StatusCode::BAD_REQUEST),
    }
}

fn full(text: &str) -> Response<Body> {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
    Response::new(body.map_err(|never| match never {}).boxed_unsync())
}

fn parts(parts: Vec<Result<&'static str, ()>>) -> Body {
    let frames = stream::iter(parts).then(async |part| {
        // What came before is on its way when this one fails or ends it.
        tokio::task::yield_now().await;
        frame(part)
    });
    StreamBody::new(frames).boxed_unsync()
}

fn panicking() -> Body {
    let frames = stream::once(async { panic!("as it was told to") });
    StreamBody::new(frames).boxed_unsync()
}

fn frame(part: Result<&'static str, ()>) -> io::Result<Frame<Bytes>> {
    part.map(|text| Frame::data(Bytes::from_static(text.as_bytes())))
        .map_err(|()| io::Error::other("the origin went away"))
}

fn announce(mut response: Response<Body>, length: &'static str) -> Response<Body> {
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from_static(length));
    response
}

fn with_cache_status(mut response: Response<Body>) -> Response<Body> {
    response
        .headers_mut()
        .insert("cache-status", HeaderValue::from_static("ledge; hit"));
    response
}

fn status(mut response: Response<Body>, status: StatusCode) -> Response<Body> {
    *response.status_mut() = status;
    response
}
