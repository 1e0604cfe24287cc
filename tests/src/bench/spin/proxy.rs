//! What any host pays that takes a body from a bucket and passes it on: bare hyper on both sides, set up as the host
//! that is like Spin is, in a process of its own, and no component.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context as _, Result};
use http::{Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::process::Process;

/// The hidden mode of the benchmarks' binary.
pub const MODE: &str = "serve-proxy";

/// A proxy that runs.
#[derive(Debug)]
pub(super) struct Proxy {
    process: Process,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Proxy {
    /// Starts this program again as a proxy.
    pub(super) async fn start(to: SocketAddr) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let process = Process::spawn(MODE, command.arg(MODE).arg(to.to_string()))?;
        let line = process.line("listening on ").await?;
        let address = line.trim_start_matches("listening on ").parse();
        Ok(Self {
            process,
            address: address.context("an address")?,
        })
    }

    pub(super) fn id(&self) -> i32 {
        self.process.id()
    }
}

type Pool = Client<HttpConnector, Incoming>;

/// Passes requests on to a server until it is killed.
///
/// # Errors
/// If there is no port to be had.
pub async fn serve(to: SocketAddr) -> Result<()> {
    let pool: Pool = Client::builder(TokioExecutor::new()).build_http();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, to, pool.clone()));
    }
}

async fn connection(stream: TcpStream, to: SocketAddr, pool: Pool) {
    let serve = service_fn(move |request| pass_on(request, to, pool.clone()));
    // A client that hangs up is nothing to tell.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), serve)
        .await;
}

async fn pass_on(
    mut request: Request<Incoming>,
    to: SocketAddr,
    pool: Pool,
) -> Result<Response<Incoming>> {
    let path = request.uri().path_and_query().context("no path")?;
    *request.uri_mut() = Uri::try_from(format!("http://{to}{path}"))?;
    // Of where it goes, which hyper sets.
    request.headers_mut().remove(header::HOST);
    Ok(pool.request(request).await?)
}
