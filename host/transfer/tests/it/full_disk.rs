//! A disk without room: clients are served to the end, and nothing is kept.
//!
//! The store lies on a file system of its own, in memory. That takes the right to mount; where there
//! is none, these tests fail and say so: a full disk cannot be had otherwise.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use http_body_util::BodyExt;
use ledge_core::range::ByteRange;
use ledge_transfer::{FillError, Outcome};
use tempfile::TempDir;

use crate::bench::{Bench, OPTIONS, SIZE, body, content, gate, next};
use crate::good::{holds, holds_all, in_turn, well};
use crate::origin::Script;

/// A file system of so many KiB; unmounted when it is dropped.
struct Disk {
    path: PathBuf,
    _directory: TempDir,
}

impl Disk {
    fn new(kib: usize) -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("disk");
        fs::create_dir(&path).expect("a directory");
        let size = format!("size={kib}k");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path);
        let done = mount.output().expect("mount is installed");
        let why = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "this test must be allowed to mount a tmpfs: {why}"
        );
        Self {
            path,
            _directory: directory,
        }
    }

    /// Takes all room that is left.
    fn fill_up(&self) {
        let mut file = File::create(self.path.join("kv.redb")).expect("a file");
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn give_back(&self) {
        fs::remove_file(self.path.join("kv.redb")).expect("it was filled up");
    }

    async fn bench(&self, script: Script) -> Bench {
        let directory = TempDir::new().expect("a directory");
        Bench::at(self.path.clone(), directory, vec![script], OPTIONS).await
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a task that is about to end may hold a file.
        let done = Command::new("umount").arg("-l").arg(&self.path).status();
        let is_done = done.is_ok_and(|status| status.success());
        assert!(
            is_done || thread::panicking(),
            "{:?} stays mounted",
            self.path
        );
    }
}

/// Smaller than an object of [`SIZE`], larger than half of it.
const SMALL: usize = 200;

/// Larger than an object of [`SIZE`].
const LARGE: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn without_room_from_the_start_every_client_gets_the_bytes() {
    let bytes = content();
    let disk = Disk::new(SMALL);
    let hold = gate();
    let act = well().stall_at(0, &hold);
    let bench = disk.bench(holds(&bytes, move |_| act.clone())).await;
    let answer = bench.fill(&bytes, &[]).await.expect("an answer");
    assert_eq!(answer.outcome, Outcome::Bypass);
    assert_eq!(answer.size, Some(SIZE as u64));
    hold.add_permits(10);
    assert_eq!(body(answer).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    let range = [ByteRange::Between(100, 199)];
    let answer = bench.fill(&bytes, &range).await.expect("an answer");
    assert_eq!(answer.outcome, Outcome::Bypass);
    assert_eq!(body(answer).await.expect("the range"), bytes[100..200]);
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    assert_eq!(bench.partials(), 0);
    let counts = bench.transfers.counts();
    assert_eq!((counts.unkept, counts.stored), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_fills_in_the_middle_clients_are_served_to_the_end() {
    let bytes = content();
    let disk = Disk::new(LARGE);
    let hold = gate();
    let act = well().stall_at(100_000, &hold);
    let acts = vec![act, well()];
    let bench = disk.bench(holds(&bytes, in_turn(acts))).await;
    let mut first = bench.fill(&bytes, &[]).await.expect("an answer");
    let mut got = next(&mut first, 100_000).await;
    let second = bench.fill(&bytes, &[]).await.expect("an answer");
    let range = [ByteRange::Between(90_000, 299_000)];
    let range = bench.fill(&bytes, &range).await.expect("an answer");
    disk.fill_up();
    hold.add_permits(1);
    got.extend(body(first).await.expect("the rest"));
    assert_eq!(got, bytes);
    assert_eq!(body(second).await.expect("a whole body"), bytes);
    assert_eq!(
        body(range).await.expect("the range"),
        bytes[90_000..=299_000]
    );
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    assert_eq!(bench.partials(), 0, "it would take up the room of others");
    // Each had the rest alone, from where the disk ended.
    for range in &bench.origin().ranges()[1..] {
        let at = range.split_once('-').map(|(at, _)| at.parse::<usize>());
        let at = at.expect("a range").expect("an offset");
        assert!(at >= 100_000, "{range}");
    }
    assert_eq!(bench.origin().requests().len(), 4);
    disk.give_back();
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_unknown_length_that_is_too_large_is_served() {
    let bytes = content();
    let disk = Disk::new(SMALL);
    let bench = disk.bench(holds(&bytes, |_| well().chunked())).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    assert_eq!(bench.partials(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_cut_on_this_way_too() {
    let bytes = content();
    for (kib, at) in [(SMALL, 5), (SMALL, SIZE - 1), (4 * SMALL, 250_000)] {
        let disk = Disk::new(kib);
        let hold = gate();
        let act = well().tampered_at(at).stall_at(100_000, &hold);
        let acts = vec![act, well().tampered_at(at)];
        let bench = disk.bench(holds(&bytes, in_turn(acts))).await;
        let mut answer = bench.fill(&bytes, &[]).await.expect("an answer");
        disk.fill_up();
        hold.add_permits(10);
        let mut got = 0;
        let cut = loop {
            match answer.body.frame().await {
                Some(Ok(frame)) => got += frame.into_data().expect("data").len(),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(cut, "{got} bytes and a good end, tampered at {at}");
        assert!(got <= SIZE - 16 * 1024, "{got}");
        bench.settled(&bytes).await;
        assert!(!bench.stored(&bytes).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn past_a_full_disk_a_break_is_resumed() {
    let bytes = content();
    let disk = Disk::new(SMALL);
    let acts = vec![well().close_at(0), well().close_at(120_000), well()];
    let bench = disk.bench(holds(&bytes, in_turn(acts))).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    let ranges = bench.origin().ranges();
    assert_eq!(ranges.last().map(String::as_str), Some("120000-299999"));
}

#[tokio::test(flavor = "multi_thread")]
async fn room_that_is_promised_is_not_promised_again() {
    let bytes = content();
    let other = bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>();
    let disk = Disk::new(SIZE * 3 / 2 / 1024);
    let hold = gate();
    let act = well().stall_at(1000, &hold);
    let script = holds_all(&[&bytes, &other], move |_| act.clone());
    let bench = disk.bench(script).await;
    let first = bench.fill(&bytes, &[]).await.expect("an answer");
    assert_eq!(first.outcome, Outcome::Started);
    let second = bench.fill(&other, &[]).await.expect("an answer");
    assert_eq!(second.outcome, Outcome::Bypass);
    hold.add_permits(10);
    assert_eq!(body(first).await.expect("a whole body"), bytes);
    assert_eq!(body(second).await.expect("a whole body"), other);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert!(!bench.stored(&other).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ingested_needs_room() {
    let bytes = content();
    let disk = Disk::new(LARGE);
    let bench = disk.bench(holds(&bytes, |_| well())).await;
    disk.fill_up();
    // The bench keeps nothing in memory, so it is told that there is no room.
    let source = bench.source(&bytes);
    let error = bench.transfers.ingest(None, source, 1 << 20).await;
    assert!(matches!(error, Err(FillError::NoSpace)), "{error:?}");
    assert_eq!(bench.partials(), 0);
}
