//! Requests into commands, reports into answers.

use std::convert::Infallible;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Body, Frame};
use ledge_tend::{Command, Event, Gone, Tend};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::wire::{self, Failure, Line};

/// The longest request, in bytes: some thousand names of images.
const MAX_REQUEST: usize = 1 << 20;

/// How many lines wait for a client that reads slowly; then the command waits for it too.
const LINES: usize = 64;

const JSON_LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// The body of an answer. It is cut short if the answer cannot be finished.
pub type Answer = UnsyncBoxBody<Bytes, std::io::Error>;

/// Answers a request. The command runs on a thread of its own, and stops when its client hangs up.
pub async fn route<B>(tend: &Tend, request: Request<B>) -> Response<Answer>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if request.method() != Method::POST {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "commands are posted");
    }
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return refused(StatusCode::BAD_REQUEST, "the request is cut or too long"),
    };
    match wire::command(head.uri.path(), &body) {
        Ok(command) => run(tend.clone(), command),
        Err(why) => refused(StatusCode::BAD_REQUEST, &why),
    }
}

fn run(tend: Tend, command: Command) -> Response<Answer> {
    let (send, lines) = mpsc::channel(LINES);
    spawn_blocking(move || {
        let mut watch = |event: Event| {
            let line = Line::Event(event).text();
            send.blocking_send(line).map_err(|_| Gone)
        };
        let line = match command.run(&tend, SystemTime::now(), &mut watch) {
            Ok(report) => Line::Done(report),
            Err(error) => {
                tracing::warn!(%error, "an operator's command failed");
                Line::Failed(Failure::from(&error))
            }
        };
        // A client that has gone does not want to know.
        let _ = send.blocking_send(line.text());
    });
    let lines = stream::unfold(lines, async |mut lines| {
        let line: String = lines.recv().await?;
        Some((Ok(Frame::data(Bytes::from(line))), lines))
    });
    answer(StatusCode::OK, StreamBody::new(lines).boxed_unsync())
}

fn refused(status: StatusCode, message: &str) -> Response<Answer> {
    let failure = Failure {
        message: message.to_owned(),
        refused: true,
    };
    let body = Full::new(Bytes::from(Line::Failed(failure).text()));
    let body = body.map_err(|never: Infallible| match never {});
    answer(status, body.boxed_unsync())
}

fn answer(status: StatusCode, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON_LINES);
    response
}
