//! A thousand, a hundred thousand and a million objects: what the many cost beside the few.
//!
//! `ledge-…` is Ledge as it comes. Its memory holds all of a thousand objects and little of a million, so
//! what it shows is what that memory is worth. `disk-…` keeps nothing in memory, so that each request is
//! one of the store's: that is what must not grow with it. All files are read before each load, so that the
//! kernel's page cache has them; what had to come from the disk all the same is told (`read_mib`), for that
//! is the disk's speed: kernels that page out what is used rarely take files that are asked for at random.
//!
//! `files-…` is nginx, which sends the very files of the store, and looks up nothing else: what growth costs it is
//! the kernel's and the disk's part of what it costs Ledge.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::board::{Board, Metric, Series};
use super::load::Plan;
use super::memory::{self, mebibytes};
use super::peers::Nginx;
use super::{shown, told, wrk};
use crate::config::{Config, Upstream};
use crate::digest;
use crate::http;
use crate::ledge::Ledge;
use crate::origin::Origin;

pub(in crate::bench) mod stock;

use stock::{Asked, Stock};

/// More say no more: a round of all takes some minutes.
pub const ROUNDS: u32 = 3;

const CASE: &str = "growth";

/// What of Ledge is measured.
#[derive(Debug, Clone, Copy)]
enum Mode {
    AsItComes,
    /// Without kept answers, and without objects in memory.
    Disk,
}

const MODES: [Mode; 2] = [Mode::AsItComes, Mode::Disk];

/// How many objects there are, and how the servers with them are called: by [`Mode`], and nginx.
const SIZES: [(u64, [&str; 2], &str); 3] = [
    (1_000, ["ledge-1k", "disk-1k"], "files-1k"),
    (100_000, ["ledge-100k", "disk-100k"], "files-100k"),
    (1_000_000, ["ledge-1m", "disk-1m"], "files-1m"),
];

/// What is asked for at random.
const CASES: [(&str, Asked); 3] = [
    ("growth-tag", Asked::Tags),
    ("growth-digest", Asked::Manifests),
    ("growth-blob", Asked::Blobs),
];

/// How many requests are drawn for a case, with repetition: about what are sent in a round. After
/// the last one they begin again.
const DRAWN: usize = 1 << 18;

/// Seconds of load before it is measured: for threads, instances and caches.
const WARM_UP: u32 = 2;

/// How many of a case's answers are compared with what must come.
const COMPARED: usize = 200;

/// How often a start after a kill is measured.
const KILLS: u32 = 3;

/// Far above what an end takes that writes everything down.
const END: Duration = Duration::from_secs(60);

/// Which objects, and in which order they are asked for.
const SEED: u64 = 20_261_121;

/// A store, and what is asked of it.
struct Subject {
    stock: Stock,
    names: [&'static str; 2],
    files: &'static str,
    /// A file of paths for each case.
    paths: [PathBuf; CASES.len()],
    // Removed with it.
    _folder: TempDir,
}

impl Subject {
    async fn make(
        (objects, names, files): (u64, [&'static str; 2], &'static str),
        origin: &Origin,
    ) -> Result<Self> {
        let began = Instant::now();
        let stock = Stock::fill(SEED, objects, origin).await?;
        let folder = tempfile::Builder::new().prefix("ledge-paths-").tempdir()?;
        let paths = CASES.map(|(case, _)| folder.path().join(case));
        for ((_, asked), file) in CASES.iter().zip(&paths) {
            fs::write(file, stock.draw(*asked, DRAWN))?;
        }
        let took = shown(began.elapsed());
        told(CASE, 0, names[0], &format!("filled in {took}"));
        Ok(Self {
            stock,
            names,
            files,
            paths,
            _folder: folder,
        })
    }
}

/// What one server did in one round.
struct Measured {
    start: Duration,
    /// Requests a second, by case.
    rates: [f64; CASES.len()],
    /// Mebibytes.
    peak: f64,
    read: f64,
}

/// Measures all sizes in turn, as Ledge comes and without its memory.
///
/// # Errors
/// If Ledge does not start, answers wrongly or asks the origin, or `wrk` is missing.
pub async fn run(plan: Plan) -> Result<Vec<Series>> {
    let origin = Origin::start().await?;
    told(CASE, 0, "all", &format!("seed {SEED}"));
    let mut subjects = Vec::new();
    for size in SIZES {
        subjects.push(Subject::make(size, &origin).await?);
    }
    origin.forget();
    let mut board = Board::default();
    for round in 1..=plan.rounds {
        for mode in MODES {
            let mut small = None;
            for subject in &subjects {
                let name = subject.names[mode as usize];
                let measured = measure(subject, &config(&origin, mode), plan).await?;
                told(CASE, round, name, &measured.told());
                measured.enter(&mut board, name, small.as_ref());
                small.get_or_insert(measured);
            }
        }
        files(&subjects, round, plan, &mut board).await?;
    }
    for subject in &subjects {
        killed(subject, &config(&origin, Mode::AsItComes), &mut board).await?;
    }
    ensure!(
        origin.seen().is_empty(),
        "{} requests reached the origin",
        origin.seen().len()
    );
    Ok(board.series())
}

/// Nothing is asked of the origin: what a tag means stays true for longer than this takes. A line a
/// request on a pipe would be measured with it: the access log is off.
fn config(origin: &Origin, mode: Mode) -> Config {
    let memory = match mode {
        Mode::AsItComes => "",
        Mode::Disk => "[server]\nanswers = \"0\"\n[store]\nmemory = \"0\"\n",
    };
    let head =
        format!("default_upstream = \"docker.io\"\n{memory}[log]\nfilter = \"info,access=off\"");
    let upstream = Upstream::new("docker.io", origin.address());
    Config::default()
        .head(&head)
        .upstream(upstream.line("fresh = \"1day\"".to_owned()))
}

async fn measure(subject: &Subject, config: &Config, plan: Plan) -> Result<Measured> {
    let (ledge, start) = start(subject, config).await?;
    subject.stock.read().await?;
    let before = memory::read_from_disk(ledge.id())?;
    let memory = memory::Watch::start(ledge.id());
    let mut rates = [0.0; CASES.len()];
    for ((case, rate), paths) in CASES.iter().zip(&mut rates).zip(&subject.paths) {
        compare(subject, ledge.address(), case.1).await?;
        wrk::run_paths(ledge.address(), paths, WARM_UP).await?;
        *rate = wrk::run_paths(ledge.address(), paths, plan.seconds).await?;
    }
    let read = mebibytes(memory::read_from_disk(ledge.id())? - before);
    let peak = mebibytes(memory.peak());
    ledge.terminate();
    ensure!(ledge.ended(END).await?.success(), "it did not end well");
    Ok(Measured {
        start,
        rates,
        peak,
        read,
    })
}

/// The same of nginx, as far as a path is a file's.
async fn files(subjects: &[Subject], round: u32, plan: Plan, board: &mut Board) -> Result<()> {
    let mut small = [None; CASES.len()];
    for subject in subjects {
        let nginx = Nginx::of_files(subject.stock.store()).await?;
        subject.stock.read().await?;
        for ((case, asked), (small, paths)) in
            CASES.into_iter().zip(small.iter_mut().zip(&subject.paths))
        {
            if matches!(asked, Asked::Tags) {
                continue;
            }
            compare(subject, nginx.address(), asked).await?;
            wrk::run_paths(nginx.address(), paths, WARM_UP).await?;
            let rate = wrk::run_paths(nginx.address(), paths, plan.seconds).await?;
            told(
                CASE,
                round,
                subject.files,
                &format!("{case}: {rate:.0} requests a second"),
            );
            board.add(case, subject.files, Metric::Requests, rate);
            match *small {
                None => *small = Some(rate),
                Some(small) => board.add(case, subject.files, Metric::RateToSmall, rate / small),
            }
        }
    }
    Ok(())
}

/// Starts it on the subject's store. How long that took, to the end of its first answer.
async fn start(subject: &Subject, config: &Config) -> Result<(Ledge, Duration)> {
    let wanted = subject.stock.wanted(Asked::Tags, 0);
    let began = Instant::now();
    let ledge = Ledge::start_in(config, subject.stock.store()).await?;
    let answer = ledge.get(&wanted.path).fetch().await?;
    let took = began.elapsed();
    ensure!(digest::of(&answer.body) == wanted.digest, "other bytes");
    Ok((ledge, took))
}

/// A benchmark of wrong answers would be none.
async fn compare(subject: &Subject, server: SocketAddr, asked: Asked) -> Result<()> {
    for number in 0..COMPARED {
        let wanted = subject.stock.wanted(asked, number);
        let answer = http::get(server, &wanted.path).fetch().await?;
        ensure!(
            answer.status == 200 && digest::of(&answer.body) == wanted.digest,
            "{} {}",
            wanted.path,
            answer.status
        );
    }
    Ok(())
}

/// Starts after a kill: the index says that it may be wrong then, and every object is looked for.
async fn killed(subject: &Subject, config: &Config, board: &mut Board) -> Result<()> {
    let (mut ledge, _) = start(subject, config).await?;
    for _ in 0..KILLS {
        ledge.kill();
        let (again, took) = start(subject, config).await?;
        let name = subject.names[Mode::AsItComes as usize];
        board.add(CASE, name, Metric::StartAfterKill, took.as_secs_f64());
        ledge = again;
    }
    Ok(())
}

impl Measured {
    fn told(&self) -> String {
        let rates = self.rates.map(|rate| format!("{rate:.0}")).join(", ");
        let (start, peak, read) = (shown(self.start), self.peak, self.read);
        format!(
            "first answer after {start}, {rates} requests a second, {peak:.1} MiB, {read:.1} MiB read"
        )
    }

    /// Enters what was measured, and what that is beside the smallest store.
    fn enter(&self, board: &mut Board, name: &'static str, small: Option<&Self>) {
        for (index, (case, _)) in CASES.into_iter().enumerate() {
            let rate = self.rates[index];
            board.add(case, name, Metric::Requests, rate);
            if let Some(small) = small {
                board.add(case, name, Metric::RateToSmall, rate / small.rates[index]);
            }
        }
        board.add(CASE, name, Metric::StartSeconds, self.start.as_secs_f64());
        board.add(CASE, name, Metric::ReadMib, self.read);
        board.add(CASE, name, Metric::PeakMib, self.peak);
        if let Some(small) = small {
            board.add(CASE, name, Metric::MemoryOverSmall, self.peak - small.peak);
        }
    }
}
