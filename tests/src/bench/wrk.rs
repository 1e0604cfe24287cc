//! The load: `wrk`, one thread and 32 connections.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;
use tokio::process::Command;

/// Has `wrk` ask for the paths of a file, a line each, one after the other and again from the first.
const SCRIPT: &str = r#"
local asked, last = {}, 0
function init(arguments)
  for path in io.lines(arguments[1]) do
    asked[#asked + 1] = "GET " .. path .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
  end
end
function request()
  last = last % #asked + 1
  return asked[last]
end
"#;

/// Requests a second that a server answered over `seconds`.
///
/// # Errors
/// If `wrk` is missing, a connection failed or an answer was no success.
pub async fn run(address: SocketAddr, path: &str, seconds: u32) -> Result<f64> {
    let url = format!("http://{address}{path}");
    measure(&mut wrk(seconds, &url)).await
}

/// The same of the paths in a file, a line each, in their order.
///
/// # Errors
/// As of [`run`], or if the script cannot be written.
pub async fn run_paths(address: SocketAddr, paths: &Path, seconds: u32) -> Result<f64> {
    let mut script = NamedTempFile::new().context("making a file for the script")?;
    script.write_all(SCRIPT.as_bytes())?;
    let mut wrk = wrk(seconds, &format!("http://{address}/"));
    wrk.arg("-s").arg(script.path()).arg("--").arg(paths);
    measure(&mut wrk).await
}

fn wrk(seconds: u32, url: &str) -> Command {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c32", &format!("-d{seconds}s"), url]);
    wrk
}

async fn measure(wrk: &mut Command) -> Result<f64> {
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
