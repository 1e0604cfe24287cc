//! What came of a run, for people and for programs.

use std::fmt;
use std::time::Duration;

use ledge_console::BinaryBytes;
use ledge_core::digest::Digest;
use serde_json::{Value, json};

use crate::contents::joined;
use crate::failure::Failure;
use crate::platform::Platform;
use crate::table;
use ledge_core::image::Image;

/// What came of one image.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which.
    pub image: Image,
    /// What its tag means now, if that is known.
    pub digest: Option<Digest>,
    /// The chosen platforms of an index, in its order; none for an image without index.
    pub platforms: Vec<Platform>,
    /// Its manifests, configs and layers.
    pub objects: usize,
    /// The bytes of all of them.
    pub bytes: u64,
    /// How many of those the mirror had before.
    pub present: u64,
    /// How many of those another image of this run brought.
    pub shared: u64,
    /// How long after the run's start it was done.
    pub after: Duration,
    /// Whether its layers were left where they are.
    pub dry: bool,
    /// The first thing that failed.
    pub failure: Option<Failure>,
}

impl Row {
    /// `warm`, `failed`, or `would pull`.
    #[must_use]
    pub fn result(&self) -> &'static str {
        match (&self.failure, self.dry) {
            (Some(_), _) => "failed",
            (None, true) => "would pull",
            (None, false) => "warm",
        }
    }

    /// The platforms with commas between, or their number if they are many.
    pub(crate) fn platform(&self) -> String {
        match self.platforms.len() {
            0 => "-".to_owned(),
            1..=2 => joined(&self.platforms),
            many => format!("{many} platforms"),
        }
    }

    fn json(&self) -> Value {
        let platforms: Vec<String> = self.platforms.iter().map(Platform::to_string).collect();
        json!({
            "image": self.image.to_string(),
            "digest": self.digest.as_ref().map(Digest::as_str),
            "platforms": platforms,
            "objects": self.objects,
            "bytes": self.bytes,
            "present": self.present,
            "shared": self.shared,
            "seconds": self.after.as_secs_f64(),
            "result": self.result(),
            "error": self.failure.as_ref().map(Failure::to_string),
            "hint": self.failure.as_ref().and_then(Failure::hint),
        })
    }
}

impl fmt::Display for Row {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.image, self.result())?;
        match &self.failure {
            Some(failure) => write!(f, ": {failure}"),
            None => write!(f, ", {}", BinaryBytes(self.bytes)),
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// A row for each image, in the order in which they were named.
    pub rows: Vec<Row>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Summary {
    /// How many images are not warm.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.rows.iter().filter(|row| row.failure.is_some()).count()
    }

    /// The bytes of all images, each object once.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        sum(self.rows.iter().map(|row| row.bytes - row.shared))
    }

    /// How many of those the mirror had before.
    #[must_use]
    pub fn present(&self) -> u64 {
        sum(self.rows.iter().map(|row| row.present))
    }

    /// A table with a line of sums below, and then what failed, each with what to do.
    #[must_use]
    pub fn table(&self) -> String {
        table::render(self)
    }

    /// One object: `images` (see the members of [`Row`]; `seconds` is `after`), and the sums `bytes`,
    /// `present`, `failed`, `seconds`.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "images": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "bytes": self.bytes(),
            "present": self.present(),
            "failed": self.failed(),
            "seconds": self.elapsed.as_secs_f64(),
        })
    }
}

/// Sizes are what manifests say, and they may say anything.
fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}
