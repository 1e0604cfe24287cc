//! A stored layer goes to clients without being read: `strace` shows that the kernel sends it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use ledge_tests::clients::{self, User};
use ledge_tests::images;
use ledge_tests::process::Process;

use crate::site::{Site, blob, hit, is};

/// Far above what an end takes.
const END: Duration = Duration::from_secs(60);

/// How often the layer is asked for.
const TIMES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_sends_what_is_stored() -> Result<()> {
    let Some(programs) = clients::require(&["strace"], User::Root) else {
        return Ok(());
    };
    let image = images::layered(1750, &[5_000_000])?;
    let site = Site::start(&image).await?;
    let layer = &image.blobs[0];
    let path = blob(&layer.digest);
    site.ledge.get(&path).fetch().await?;
    is(&hit(&site.ledge, &path).await?, layer)?;

    let folder = tempfile::tempdir()?;
    let calls = folder.path().join("calls");
    let mut strace = Command::new(&programs[0]);
    strace.args(["-f", "-e", "trace=sendfile", "-o"]);
    strace
        .arg(&calls)
        .args(["-p", &site.ledge.id().to_string()]);
    let strace = Process::spawn("strace", &mut strace)?;
    strace.line("attached").await?;
    for _ in 0..TIMES {
        is(&site.ledge.get(&path).fetch().await?, layer)?;
    }
    let last = layer.bytes.len() - 100_000;
    let part = site
        .ledge
        .get(&path)
        .header("range", &format!("bytes={last}-"));
    ensure!(part.fetch().await?.body == layer.bytes.slice(last..));
    site.ledge.terminate();
    ensure!(site.ledge.ended(END).await?.success());
    strace.ended(END).await?;

    let sent = sent(&fs::read_to_string(&calls)?);
    let all = TIMES * layer.bytes.len() + 100_000;
    ensure!(sent <= all, "{sent} of {all} bytes");
    ensure!(
        sent * 100 >= all * 95,
        "the kernel sent {sent} of {all} bytes"
    );
    Ok(())
}

/// What the calls returned, those that failed aside.
fn sent(calls: &str) -> usize {
    let ended = calls.lines().filter(|line| line.contains("sendfile"));
    let results = ended.filter_map(|line| {
        line.rsplit_once(" = ")?
            .1
            .split(' ')
            .next()?
            .parse::<usize>()
            .ok()
    });
    results.sum()
}
