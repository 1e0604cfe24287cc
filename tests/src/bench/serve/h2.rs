//! `h2load`: HTTP/2 in the clear, by prior knowledge.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::seen::Seen;
use super::servers::Server;
use super::set::{Asked, Set};

/// Connections, and streams of each: as many requests under way as four nodes' clients have.
const SHAPE: [&str; 4] = ["-c8", "-m16", "-t1", "--header=accept: */*"];

/// How many paths are drawn; after the last one they begin again.
const DRAWN: usize = 1 << 14;

/// Asks for manifests drawn at random.
///
/// # Errors
/// If `h2load` is missing, a connection failed or an answer was no success.
pub(super) async fn run(server: &Server, set: &Set, seconds: u32) -> Result<Seen> {
    let drawn = set.drawn(Asked::Tags, &format!("http://{}", server.http2), DRAWN)?;
    let mut h2load = Command::new("h2load");
    h2load
        .args(SHAPE)
        .arg(format!("--duration={seconds}"))
        .arg("-i")
        .arg(drawn);
    let output = h2load
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("starting h2load")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let seen = output.status.success().then(|| parse(&text, seconds));
    seen.flatten()
        .with_context(|| format!("h2load: {text}{}", String::from_utf8_lossy(&output.stderr)))
        .and_then(|seen| {
            ensure!(seen.requests > 0, "no answers");
            Ok(seen)
        })
}

/// `None` if it says something else, or that something failed.
fn parse(text: &str, seconds: u32) -> Option<Seen> {
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    // `61728 total, 61728 started, …, 0 failed, 0 errored, 0 timeout`
    let count = |line: &str, name: &str| {
        let part = line
            .split(", ")
            .find_map(|part| part.trim().strip_suffix(name))?;
        part.trim().parse::<u64>().ok()
    };
    let requests = line("requests:")?;
    let statuses = line("status codes:")?;
    let failed = ["failed", "errored", "timeout"].map(|name| count(requests, name));
    let wrong = ["3xx", "4xx", "5xx"].map(|name| count(statuses, name));
    // `traffic: 3.45MB (3618000) total, …`
    let (_, bytes) = line("traffic:")?.split_once('(')?;
    let (bytes, _) = bytes.split_once(')')?;
    let is_good = failed.iter().chain(&wrong).all(|count| *count == Some(0));
    is_good.then_some(Seen {
        requests: count(statuses, "2xx")?,
        bytes: bytes.parse().ok()?,
        seconds: f64::from(seconds),
        p50_ms: None,
        p99_ms: None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    const GOOD: &str = "finished in 5.00s, 12345.60 req/s, 3.45MB/s\n\
        requests: 61728 total, 61828 started, 61728 done, 61728 succeeded, 0 failed, 0 errored, 0 timeout\n\
        status codes: 61728 2xx, 0 3xx, 0 4xx, 0 5xx\n\
        traffic: 17.25MB (18087936) total, 1.2MB (1) headers (space savings 90.00%), 1MB (1) data\n";

    #[test]
    fn the_count_is_read_and_failures_are_seen() {
        let seen = parse(GOOD, 5).expect("good");
        assert_eq!((seen.requests, seen.bytes), (61_728, 18_087_936));
        for (from, to) in [
            ("0 failed", "1 failed"),
            ("0 errored", "1 errored"),
            ("0 timeout", "1 timeout"),
            ("0 3xx", "1 3xx"),
            ("0 4xx", "10 4xx"),
            ("0 5xx", "1 5xx"),
            ("traffic:", ""),
        ] {
            assert!(parse(&GOOD.replace(from, to), 5).is_none(), "{to}");
        }
    }
}
