//! The load: `wrk`, one thread and 32 connections.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// Requests a second that a server answered over `seconds`.
///
/// # Errors
/// If `wrk` is missing, a connection failed or an answer was no success.
pub async fn run(address: SocketAddr, path: &str, seconds: u32) -> Result<f64> {
    let mut wrk = Command::new("wrk");
    wrk.args([
        "-t1",
        "-c32",
        &format!("-d{seconds}s"),
        &format!("http://{address}{path}"),
    ]);
    let output = wrk
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("starting wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "wrk: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&text)
}

fn parse(text: &str) -> Result<f64> {
    ensure!(
        !text.contains("Non-2xx"),
        "not every answer was a success:\n{text}"
    );
    ensure!(
        !text.contains("Socket errors"),
        "connections failed:\n{text}"
    );
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    rate.context("no rate")?
        .trim()
        .parse()
        .with_context(|| format!("no rate in:\n{text}"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_rate_is_read_and_failures_are_seen() {
        let good = "  32 connections\nRequests/sec:  58012.34\nTransfer/sec:    100.00MB\n";
        assert_eq!(parse(good).ok(), Some(58012.34));
        parse(&format!("{good}  Non-2xx or 3xx responses: 1\n"))
            .expect_err("an answer that failed");
        parse(&format!(
            "{good}  Socket errors: connect 0, read 1, write 0, timeout 0\n"
        ))
        .expect_err("a reset");
        parse("").expect_err("nothing");
    }
}
