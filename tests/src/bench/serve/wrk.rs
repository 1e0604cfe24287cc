//! `wrk` with one thread, which asks for what is drawn at random.

use std::io::Write as _;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::process::Command;

use super::case::{PART, Shape};
use super::seen::Seen;
use super::servers::Server;
use super::set::{Asked, Set};

const SCRIPT: &str = include_str!("draw.lua");

/// Bytes of the header of an answer, at most: servers send about 500.
const HEADER: u64 = 2 << 10;

/// What a run is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) asked: Asked,
    pub(super) shape: Shape,
    pub(super) connections: u32,
    pub(super) seconds: u32,
    pub(super) seed: u64,
}

/// Runs it on a server.
///
/// # Errors
/// If `wrk` is missing, a connection failed, or an answer was another than what was asked for.
pub(super) async fn run(server: &Server, set: &Set, run: Run) -> Result<Seen> {
    let mut script = NamedTempFile::new().context("making a file for the script")?;
    script.write_all(SCRIPT.as_bytes())?;
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", &format!("-c{}", run.connections)])
        .arg(format!("-d{}s", run.seconds))
        .arg("-s")
        .arg(script.path())
        .arg(format!("http://{}/", server.address))
        .arg("--")
        .arg(set.file(run.asked))
        .args(words(run, set));
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
    let summary = summary(&text).with_context(|| format!("wrk's words: {text}"))?;
    check(&summary, run, set).with_context(|| format!("wrk's summary: {summary}"))
}

/// What the script is told beside the file.
fn words(run: Run, set: &Set) -> Vec<String> {
    let mut words = vec![run.seed.to_string()];
    if let (Shape::Part, Some((whole, _))) = (run.shape, set.sizes(run.asked)) {
        words.extend([PART.to_string(), whole.to_string()]);
    }
    words
}

fn summary(text: &str) -> Result<Value> {
    let line = text.lines().find_map(|line| line.strip_prefix("summary "));
    Ok(serde_json::from_str(line.context("no summary")?)?)
}

/// `wrk` counts statuses from 400 on; the others are told by the bytes that came.
fn check(summary: &Value, run: Run, set: &Set) -> Result<Seen> {
    let field = |name: &str| summary[name].as_u64().with_context(|| format!("no {name}"));
    let requests = field("requests")?;
    ensure!(requests > 0, "no answers");
    for kind in ["connect", "read", "write", "timeout"] {
        ensure!(field(kind)? == 0, "connections failed");
    }
    let missing = if run.shape == Shape::Absent {
        requests
    } else {
        0
    };
    ensure!(field("status")? == missing, "statuses that are wrong");
    let bytes = field("bytes")?;
    let (least, most) = span(run, set);
    // Of what was under way at the end, some came.
    let open = u64::from(run.connections) * (most + HEADER);
    ensure!(
        (requests * least..=requests * (most + HEADER) + open).contains(&bytes),
        "bodies that are too large or too small"
    );
    Ok(Seen {
        requests,
        bytes,
        seconds: field("duration")? as f64 / 1e6,
        p50_ms: Some(field("p50")? as f64 / 1e3),
        p99_ms: Some(field("p99")? as f64 / 1e3),
    })
}

/// The bytes of the least and the largest body.
fn span(run: Run, set: &Set) -> (u64, u64) {
    match run.shape {
        Shape::Whole => set.sizes(run.asked).unwrap_or_default(),
        Shape::Part => (PART, PART),
        // The specification's error in JSON, or a page that says it.
        Shape::Absent => (0, HEADER),
    }
}
