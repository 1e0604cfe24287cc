//! Four `curl` that take large blobs at once, each over one connection.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use tokio::process::Command;

use super::seen::Seen;
use super::servers::Server;
use super::set::{Asked, Set};

/// How many there are.
const CURLS: u64 = 4;

/// How many blobs each takes for a second of a case: at 3.5 GB/s that is about a second.
const BLOBS: u32 = 8;

/// Has them take blobs drawn at random.
///
/// # Errors
/// If `curl` is missing, or an answer is not what was asked for.
pub(super) async fn run(server: &Server, set: &Set, seconds: u32, seed: u64) -> Result<Seen> {
    let (size, _) = set.sizes(Asked::Hundred).context("no blobs")?;
    let began = Instant::now();
    let curls = (0..CURLS).map(|number| {
        let paths = set.draw(Asked::Hundred, seed + number, (BLOBS * seconds) as usize);
        curl(server, paths, size)
    });
    let taken: Vec<u64> = try_join_all(curls).await?;
    let requests: u64 = taken.iter().sum();
    Ok(Seen {
        requests,
        bytes: requests * size,
        seconds: began.elapsed().as_secs_f64(),
        p50_ms: None,
        p99_ms: None,
    })
}

/// How many whole blobs came.
async fn curl(server: &Server, paths: Vec<&str>, size: u64) -> Result<u64> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--write-out"])
        .arg("%{http_code} %{size_download}\n");
    for path in &paths {
        curl.args(["--output", "/dev/null"])
            .arg(format!("http://{}{path}", server.address));
    }
    let output = curl
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("starting curl")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let right = format!("200 {size}");
    let whole = text.lines().filter(|line| *line == right).count();
    ensure!(
        output.status.success() && whole == paths.len(),
        "curl: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(whole as u64)
}
