//! Requests into commands, reports into answers.

use std::convert::Infallible;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body;
use ledge_tend::{Command, Event, Gone, Tend};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::layouts;
use crate::wire::{self, Failure, Line};

/// The longest request, in bytes: some thousand names of images.
const MAX_REQUEST: usize = 1 << 20;

/// How many lines wait for a client that reads slowly; then the command waits for it too.
const LINES: usize = 64;

const JSON_LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const TAR: HeaderValue = HeaderValue::from_static("application/x-tar");

/// The body of an answer. It is cut short if the answer cannot be finished.
pub type Answer = UnsyncBoxBody<Bytes, std::io::Error>;

/// Answers a request. The command runs on a thread of its own, and stops when its client hangs up.
pub async fn route<B>(tend: &Tend, request: Request<B>) -> Response<Answer>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    if request.method() != Method::POST {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "commands are posted");
    }
    let (head, body) = request.into_parts();
    if head.uri.path() == wire::IMPORT {
        return match wire::import(head.uri.query()) {
            Ok(import) => answer(JSON_LINES, layouts::import(tend.clone(), import, body)),
            Err(why) => refused(StatusCode::BAD_REQUEST, &why),
        };
    }
    let body = match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return refused(StatusCode::BAD_REQUEST, "the request is cut or too long"),
    };
    if head.uri.path() == wire::EXPORT {
        return match serde_json::from_slice(&body) {
            Ok(export) => answer(TAR, layouts::export(tend.clone(), export)),
            Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
        };
    }
    match wire::command(head.uri.path(), &body) {
        Ok(command) => run(tend.clone(), command),
        Err(why) => refused(StatusCode::BAD_REQUEST, &why),
    }
}

fn run(tend: Tend, command: Command) -> Response<Answer> {
    let (send, lines) = mpsc::channel(LINES);
    spawn_blocking(move || {
        let mut watch = |event: Event| {
            let line = Bytes::from(Line::Event(event).text());
            send.blocking_send(Ok(line)).map_err(|_| Gone)
        };
        let line = match command.run(&tend, SystemTime::now(), &mut watch) {
            Ok(report) => Line::Done(report),
            Err(error) => {
                tracing::warn!(%error, "an operator's command failed");
                Line::Failed(Failure::from(&error))
            }
        };
        // A client that has gone does not want to know.
        let _ = send.blocking_send(Ok(Bytes::from(line.text())));
    });
    answer(JSON_LINES, layouts::streamed(lines))
}

fn refused(status: StatusCode, message: &str) -> Response<Answer> {
    let failure = Failure {
        message: message.to_owned(),
        refused: true,
    };
    let body = Full::new(Bytes::from(Line::Failed(failure).text()));
    let body = body.map_err(|never: Infallible| match never {});
    let mut response = answer(JSON_LINES, body.boxed_unsync());
    *response.status_mut() = status;
    response
}

fn answer(kind: HeaderValue, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
