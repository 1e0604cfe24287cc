//! A server that stands in for a mirror: it answers what it was told to, and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ledge_warm::{Image, Mirror as Url, Options, Platforms, Progress, Retries, Summary, warm};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What a request is answered.
#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Bytes,
    announced: Option<u64>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let announced = Some(body.len() as u64);
        Self {
            status,
            fields: Vec::new(),
            body,
            announced,
        }
    }

    pub(crate) fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(200, body)
    }

    /// Half of a body, and then the connection's end.
    pub(crate) fn cut(body: &Bytes) -> Self {
        let mut answer = Self::ok(body.slice(..body.len() / 2));
        answer.announced = Some(body.len() as u64);
        answer
    }

    pub(crate) fn field(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// Without Content-Length.
    pub(crate) fn unannounced(mut self) -> Self {
        self.announced = None;
        self
    }

    fn response(self, head: bool) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        if let Some(length) = self.announced {
            response = response.header("content-length", length);
        }
        for (name, value) in &self.fields {
            response = response.header(*name, value);
        }
        let cut = self
            .announced
            .is_some_and(|length| length != self.body.len() as u64);
        let mut frames = Vec::new();
        if !head {
            frames.push(Ok(Frame::data(self.body)));
        }
        if cut && !head {
            frames.push(Err(io::Error::other("cut")));
        }
        let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
        response.body(body).expect("a response")
    }
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, Answer>>,
    first: Mutex<HashMap<String, VecDeque<Answer>>>,
    seen: Mutex<Vec<String>>,
    running: Mutex<(usize, usize)>,
}

pub(crate) struct Mirror {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mirror {
    pub(crate) async fn start() -> Self {
        Self::meeting(1).await
    }

    /// Blobs are answered when so many are asked for at once.
    pub(crate) async fn meeting(count: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(accept(
            listener,
            shared.clone(),
            Arc::new(Barrier::new(count)),
        ));
        let mirror = Self {
            address,
            shared,
            task,
        };
        mirror.serve("/v2/", Answer::ok("{}"));
        mirror
    }

    /// What is answered to every request of a path.
    pub(crate) fn serve(&self, path: &str, answer: Answer) {
        self.shared
            .answers
            .lock()
            .expect("a lock")
            .insert(path.to_owned(), answer);
    }

    /// What the next request of a path is answered before that.
    pub(crate) fn first(&self, path: &str, answer: Answer) {
        let mut first = self.shared.first.lock().expect("a lock");
        first.entry(path.to_owned()).or_default().push_back(answer);
    }

    /// The requests, sorted, but for the first question whether there is a mirror.
    pub(crate) fn seen(&self) -> Vec<String> {
        let mut seen = self.shared.seen.lock().expect("a lock").clone();
        seen.retain(|request| request != "GET /v2/");
        seen.sort();
        seen
    }

    /// The most blobs that were asked for at once.
    pub(crate) fn most(&self) -> usize {
        self.shared.running.lock().expect("a lock").1
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            mirror: Url::listening(self.address).expect("a URL"),
            platforms: Platforms::parse("linux/amd64").expect("a platform"),
            jobs: NonZeroUsize::new(4).expect("four"),
            dry_run: false,
            retries: Retries {
                first: Duration::from_millis(1),
                longest: Duration::from_millis(1),
                more: 2,
            },
        }
    }

    /// Warms images with the usual options.
    pub(crate) async fn warm(&self, images: &[&str]) -> Summary {
        self.warm_with(images, &self.options()).await
    }

    pub(crate) async fn warm_with(&self, images: &[&str], options: &Options) -> Summary {
        let images: Vec<Image> = images
            .iter()
            .map(|name| Image::parse(name).expect(name))
            .collect();
        warm(&images, options, &Progress::Quiet)
            .await
            .expect("a mirror")
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, barrier: Arc<Barrier>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (shared, barrier) = (shared.clone(), barrier.clone());
        let service = service_fn(move |request| answer(request, shared.clone(), barrier.clone()));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    barrier: Arc<Barrier>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let line = format!("{} {}", request.method(), request.uri());
    shared.seen.lock().expect("a lock").push(line);
    if path.contains("/blobs/") {
        {
            let mut running = shared.running.lock().expect("a lock");
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        barrier.wait().await;
        shared.running.lock().expect("a lock").0 -= 1;
    }
    let first = shared
        .first
        .lock()
        .expect("a lock")
        .get_mut(&path)
        .and_then(VecDeque::pop_front);
    let known = shared.answers.lock().expect("a lock").get(&path).cloned();
    let unknown = || {
        Answer::new(
            404,
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"upstream docker.io does not know it"}]}"#,
        )
    };
    let answer = first.or(known).unwrap_or_else(unknown);
    Ok(answer.response(request.method() == http::Method::HEAD))
}
