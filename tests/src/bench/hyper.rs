//! The yardstick: bare hyper, in a process of its own, that serves from memory
//! what another server served, under the same header fields.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};

use crate::http as client;
use crate::process::Process;

/// The hidden mode of the benchmarks' binary.
pub const MODE: &str = "serve-hyper";

/// A yardstick that runs.
#[derive(Debug)]
pub struct Yardstick {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Yardstick {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.process.id()
    }
}

/// Starts this program again as a yardstick that serves the `paths` of `from`.
///
/// # Errors
/// If it does not start.
pub async fn start(from: SocketAddr, paths: &[&str]) -> Result<Yardstick> {
    let mut command = Command::new(std::env::current_exe()?);
    let process = Process::spawn(MODE, command.arg(MODE).arg(from.to_string()).args(paths))?;
    let line = process.line("listening on ").await?;
    let address = line
        .trim_start_matches("listening on ")
        .parse()
        .context("an address")?;
    Ok(Yardstick { process, address })
}

type Answers = Arc<HashMap<String, (HeaderMap, Bytes)>>;

/// Serves until it is killed.
///
/// # Errors
/// If `from` does not answer, or there is no port to be had.
pub async fn serve(from: SocketAddr, paths: &[String]) -> Result<()> {
    let mut answers = HashMap::new();
    for path in paths {
        let answer = client::get(from, path).fetch().await?;
        let mut headers = answer.headers;
        // hyper sets its own.
        headers.remove("date");
        answers.insert(path.clone(), (headers, answer.body));
    }
    let answers = Arc::new(answers);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, Arc::clone(&answers)));
    }
}

async fn connection(stream: TcpStream, answers: Answers) {
    // A client that hangs up is nothing to tell.
    let _ = stream.set_nodelay(true);
    let serve = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&answers, request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), serve)
        .await;
}

fn answer(answers: &Answers, path: &str) -> Response<Full<Bytes>> {
    let (headers, body) = answers.get(path).cloned().unwrap_or_default();
    let mut response = Response::new(Full::new(body));
    *response.headers_mut() = headers;
    response
}
