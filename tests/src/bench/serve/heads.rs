//! HEAD, which `wrk` cannot ask: it waits for the body that the length tells of. One thread, as `wrk -t1`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::JoinSet;

use super::seen::Seen;
use super::servers::Server;
use super::set::{ACCEPT, Set};
use super::wrk::Run;

/// A header of an answer is smaller.
const HEADER: usize = 4 << 10;

/// What one connection saw.
#[derive(Debug, Default)]
struct Told {
    times: Vec<Duration>,
    bytes: u64,
}

/// Asks over `run.connections`, each for the next when the last is answered.
///
/// # Errors
/// If a connection failed, or an answer was no success.
pub(super) async fn run(server: &Server, set: &Set, run: Run) -> Result<Seen> {
    let ask = |path| format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {ACCEPT}\r\n\r\n");
    let requests: Arc<[String]> = set.paths(run.asked).into_iter().map(ask).collect();
    let address = server.address;
    let asking = move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(together(address, &requests, run))
    };
    tokio::task::spawn_blocking(asking).await?
}

async fn together(server: SocketAddr, requests: &Arc<[String]>, run: Run) -> Result<Seen> {
    let began = Instant::now();
    let until = began + Duration::from_secs(run.seconds.into());
    let mut connections = JoinSet::new();
    for number in 0..run.connections {
        let random = StdRng::seed_from_u64(run.seed ^ (u64::from(number) << 32));
        connections.spawn(connection(server, Arc::clone(requests), random, until));
    }
    let mut all = Told::default();
    while let Some(told) = connections.join_next().await {
        let told = told??;
        all.times.extend(told.times);
        all.bytes += told.bytes;
    }
    let seconds = began.elapsed().as_secs_f64();
    all.times.sort_unstable();
    let part = |hundredths: usize| {
        let place = all.times.len() * hundredths / 100;
        all.times.get(place).map(|time| time.as_secs_f64() * 1e3)
    };
    ensure!(!all.times.is_empty(), "no answers");
    Ok(Seen {
        requests: all.times.len() as u64,
        bytes: all.bytes,
        seconds,
        p50_ms: part(50),
        p99_ms: part(99),
    })
}

async fn connection(
    server: SocketAddr,
    requests: Arc<[String]>,
    mut random: StdRng,
    until: Instant,
) -> Result<Told> {
    let mut stream = TcpStream::connect(server).await.context("connecting")?;
    stream.set_nodelay(true)?;
    let mut told = Told::default();
    let mut buffer = [0; HEADER];
    loop {
        let began = Instant::now();
        if began >= until {
            return Ok(told);
        }
        let request = &requests[random.random_range(0..requests.len())];
        stream.write_all(request.as_bytes()).await?;
        let count = header(&mut stream, &mut buffer).await?;
        told.times.push(began.elapsed());
        told.bytes += count as u64;
    }
}

/// Reads a header and nothing more: an answer to HEAD has no body.
async fn header(stream: &mut TcpStream, buffer: &mut [u8; HEADER]) -> Result<usize> {
    let mut filled = 0;
    while !buffer[..filled].ends_with(b"\r\n\r\n") {
        ensure!(filled < HEADER, "a header without an end");
        let count = stream.read(&mut buffer[filled..]).await?;
        ensure!(count > 0, "the connection was closed before a header");
        filled += count;
    }
    ensure!(
        buffer.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&buffer[..filled])
    );
    Ok(filled)
}
