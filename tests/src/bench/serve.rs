//! Everything stored: Ledge beside nginx, a registry and bare hyper, by requests drawn at random.
//!
//! All have everything in their stores, nothing is asked of the origin, and the rounds go through all loads and
//! servers in turn, so that a slow minute of the machine is everybody's. `ledge` is Ledge as it comes;
//! `ledge-instance` repeats no answers, so that an instance of the component is asked for every one.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::board::{Board, Metric, Series};
use super::memory::mebibytes;
use super::peers::Kind;
use super::{Options, Outcome, report, told};
use crate::link;
use crate::origin::Origin;
use crate::relay::Relay;

mod case;
mod cores;
mod crowd;
mod curls;
mod goals;
mod h2;
mod heads;
mod ledge;
mod mixed;
mod seen;
mod servers;
mod set;
mod start;
mod table;
mod wrk;

pub use case::Case;
use case::{How, Load, Shape};
use mixed::Scene;
use seen::Seen;
use servers::{Origins, Server, Who};
use set::{Asked, SEED, Set};
use wrk::Run;

/// Seconds of each load before it is measured for the first time: for threads, instances and caches.
const WARM_UP: u32 = 1;

/// All that runs.
#[derive(Debug)]
struct Bench {
    set: Set,
    origin: Origin,
    /// A registry's own: it asks about every tag, also after its clients have left.
    _asked: Origin,
    slow: Relay,
    servers: Vec<Server>,
    seconds: u32,
}

/// Measures what the options name.
///
/// # Errors
/// If a server does not start or is not warm. A load that fails is told of, and counted.
pub async fn run(options: &Options) -> Result<Outcome> {
    cores::share()?;
    told("serve", 0, "all", &format!("seed {SEED}"));
    let loads = case::loads(&options.cases);
    let mut board = Board::default();
    if !loads.is_empty() {
        let bench = Bench::start(options, &loads).await?;
        for round in 0..=options.rounds {
            for load in &loads {
                bench.round(load, round, &mut board).await;
            }
        }
    }
    if options.cases.is_empty() || options.cases.contains(&Case::Start) {
        let origin = Origin::start().await?;
        start::run(options.rounds, &origin, &mut board).await?;
    }
    outcome(board.series())
}

/// The tables; and the same for programs in `bench/serve.json` in the folder of all that is built.
fn outcome(series: Vec<Series>) -> Result<Outcome> {
    let goals = goals::goals(&series);
    let program = std::env::current_exe()?;
    let folder = program
        .parent()
        .context("a folder")?
        .with_file_name("bench");
    fs::create_dir_all(&folder)?;
    fs::write(
        folder.join("serve.json"),
        report::json(&series) + &goals::json(&goals),
    )?;
    Ok(Outcome {
        table: format!("{}\n{}", table::table(&series), goals::table(&goals)),
        series,
    })
}

/// Those that somebody asks something of.
fn wanted(options: &Options, loads: &[&Load]) -> Vec<Who> {
    let all = [
        (Who::Ledge, Some(Kind::Ledge)),
        (Who::Instance, Some(Kind::Ledge)),
        (Who::Nginx, Some(Kind::Nginx)),
        (Who::Registry, Some(Kind::Distribution)),
        (Who::Hyper, None),
    ];
    let named =
        |(_, kind): &(Who, Option<Kind>)| kind.is_none_or(|kind| options.servers.contains(&kind));
    let who = all.into_iter().filter(named).map(|(who, _)| who);
    who.filter(|who| loads.iter().any(|load| load.servers.contains(who)))
        .collect()
}

impl Bench {
    async fn start(options: &Options, loads: &[&Load]) -> Result<Self> {
        let (origin, asked) = (Origin::start().await?, Origin::start().await?);
        let slow = Relay::start(origin.address(), link::SLOW).await?;
        let set = Set::put(&[&origin, &asked])?;
        let origins = Origins {
            fast: origin.address(),
            slow: slow.address(),
            asked: asked.address(),
        };
        let mut servers = Vec::new();
        for who in wanted(options, loads) {
            let server = Server::start(who, origins, &set).await?;
            told("serve", 0, who.name(), "warming");
            if who != Who::Hyper {
                let warm = set.warm(server.address).await;
                warm.with_context(|| format!("warming {}", who.name()))?;
            }
            servers.push(server);
        }
        Ok(Self {
            set,
            origin,
            _asked: asked,
            slow,
            servers,
            seconds: options.seconds,
        })
    }

    /// One load on all its servers. Round 0 is not counted. A registry is far behind, and takes part in one round.
    async fn round(&self, load: &Load, round: u32, board: &mut Board) {
        for server in &self.servers {
            let takes_part = load.servers.contains(&server.who);
            if !takes_part || (server.who == Who::Registry && round > 1) {
                continue;
            }
            if round == 0 {
                self.warm_up(load, server).await;
                continue;
            }
            let measured = self.measure(load, server, round, board).await;
            board.failed(load.name, server.who.name(), &measured);
        }
    }

    /// What fails here fails again when it counts.
    async fn warm_up(&self, load: &Load, server: &Server) {
        if matches!(load.how, How::Wrk(..) | How::Heads(_)) {
            let _ = self.asked(load, server, 0, WARM_UP).await;
        }
    }

    async fn measure(
        &self,
        load: &Load,
        server: &Server,
        round: u32,
        board: &mut Board,
    ) -> Result<()> {
        let names = (load.name, server.who.name());
        self.origin.forget();
        server.read().await?;
        match load.how {
            How::Mixed => return self.mixed(names, server, round, board).await,
            How::Crowd => {
                let peak = crowd::run(server, &self.set).await?;
                told(names.0, round, names.1, &format!("{peak:.1} MiB"));
                board.add(names.0, names.1, Metric::PeakMib, peak);
            }
            _ => {
                let (before, disk) = (server.processor(), server.read_from_disk());
                let seen = self.asked(load, server, round, self.seconds).await?;
                let processor = server.processor().since(&before);
                enter(board, names, round, seen, processor);
                let read = server.read_from_disk().saturating_sub(disk);
                board.add(names.0, names.1, Metric::ReadMib, mebibytes(read));
            }
        }
        let asked = self.origin.seen().len();
        ensure!(
            asked == 0,
            "it was not warm: {asked} requests reached the origin"
        );
        Ok(())
    }

    /// A load that is told in requests and times.
    async fn asked(&self, load: &Load, server: &Server, round: u32, seconds: u32) -> Result<Seen> {
        let seed = SEED + 1000 * u64::from(round);
        let run = |asked, shape, connections| Run {
            asked,
            shape,
            connections,
            seconds,
            seed,
        };
        let set = &self.set;
        let seen = match load.how {
            How::Wrk(asked, shape, connections) => {
                wrk::run(server, set, run(asked, shape, connections)).await?
            }
            How::Heads(connections) => {
                heads::run(server, set, run(Asked::Tags, Shape::Whole, connections)).await?
            }
            How::H2 => h2::run(server, set, seconds).await?,
            How::Curls => return curls::run(server, set, seconds, seed).await,
            How::Crowd | How::Mixed => bail!("that is no load of requests alone"),
        };
        server.empty_log()?;
        Ok(seen)
    }

    async fn mixed(
        &self,
        names: (&'static str, &'static str),
        server: &Server,
        round: u32,
        board: &mut Board,
    ) -> Result<()> {
        let scene = Scene {
            origin: &self.origin,
            slow: &self.slow,
            set: &self.set,
        };
        let before = server.processor();
        let [idle, busy] = mixed::run(scene, server, self.seconds, round).await?;
        enter(board, names, round, busy, server.processor().since(&before));
        let ratio = busy.p99_ms.zip(idle.p99_ms).map(|(busy, idle)| busy / idle);
        board.add(
            names.0,
            names.1,
            Metric::P99ToIdle,
            ratio.context("no times")?,
        );
        Ok(())
    }
}

fn enter(
    board: &mut Board,
    names: (&'static str, &'static str),
    round: u32,
    seen: Seen,
    processor: Duration,
) {
    told(names.0, round, names.1, &seen.told());
    seen.enter(board, names, processor);
}
