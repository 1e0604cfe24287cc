//! What each fault of an origin does to a client of a mirror, and to what the mirror stores.
//!
//! Each fault meets each mirror once, with fresh storage: nothing here is a matter of speed.

use std::time::Duration;

use anyhow::{Context, Result};

use super::board::{Board, Metric, Series};
use super::peers::Kind;
use super::{Options, Outcome, told};

mod list;
mod scene;
mod seen;
mod table;

use list::Fault;
use scene::Scene;
use seen::{Saw, Seen, Stored};

const CASE: &str = "faults";

/// How long an origin may pause, for every mirror that can be told.
const IDLE: Duration = Duration::from_secs(5);

/// A client gives up after this: three times what a mirror needs to give up its origin.
const PATIENCE: Duration = Duration::from_secs(15);

/// What one fault came to at one mirror.
#[derive(Debug)]
struct Row {
    fault: &'static Fault,
    server: Kind,
    seen: Seen,
    stored: Stored,
    /// GETs and HEADs of the blob that reached the origin before it was taken down.
    gets: usize,
    heads: usize,
}

/// Measures it, in one round.
///
/// # Errors
/// If a mirror or an origin does not start.
pub async fn run(options: &Options) -> Result<Outcome> {
    let (mut rows, mut board) = (Vec::new(), Board::default());
    for (number, fault) in (1..).zip(&list::ALL) {
        let blob = super::sample::blob(number, list::SIZE);
        for kind in &options.servers {
            let name = format!("{} with {}", kind.name(), fault.name);
            let scene = Scene::set(*kind, &blob).await.context(name)?;
            let row = scene.play(fault).await?;
            told(CASE, 1, kind.name(), &table::told(&row));
            row.add(&mut board);
            rows.push(row);
        }
    }
    Ok(Outcome {
        series: board.series(),
        table: table::of(&rows),
    })
}

impl Row {
    fn add(&self, board: &mut Board) {
        let mut add = |metric, value| {
            board.push(Series {
                case: CASE,
                fault: Some(self.fault.name),
                server: self.server.name(),
                metric,
                values: vec![value],
            });
        };
        // Who left saw nothing to judge.
        if self.seen.saw != Saw::Left {
            add(Metric::Right, flag(self.seen.saw == Saw::Right));
        }
        add(Metric::StoredRight, flag(self.stored == Stored::Right));
        add(Metric::StoredWrong, flag(self.stored == Stored::Wrong));
        add(Metric::OriginRequests, (self.gets + self.heads) as f64);
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}
