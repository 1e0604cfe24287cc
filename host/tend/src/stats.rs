//! What a store holds, in numbers.

use std::collections::BTreeMap;

use ledge_core::fact::{Fact, Place};
use ledge_core::key::DEFAULT_STORE;
use serde::{Deserialize, Serialize};

use crate::error::TendError;
use crate::repository::{Places, each};
use crate::tend::{Label, Tend};

/// What a store holds. Numbers are bytes of the disk unless something else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// How many objects.
    pub objects: u64,
    /// What they take.
    pub stored: u64,
    /// Of that, what is never evicted.
    pub fixed: u64,
    /// What unfinished objects take.
    pub unfinished: u64,
    /// What running transfers will still take.
    pub promised: u64,
    /// What files take that were removed and are still read.
    pub held: u64,
    /// What all of the store takes.
    pub used: u64,
    /// What it may take; none is no such bound.
    pub max_size: Option<u64>,
    /// What is kept free on the file system.
    pub min_free: u64,
    /// How many objects were evicted since the store was opened.
    pub evicted: u64,
    /// What those took.
    pub evicted_bytes: u64,
    /// How many files are in quarantine.
    pub quarantined: u64,
    /// What those take.
    pub quarantined_bytes: u64,
    /// Their names.
    pub quarantine: Vec<String>,
    /// How many records there are, of all kinds.
    pub records: u64,
    /// What is recorded of each upstream.
    pub upstreams: Vec<UpstreamStats>,
}

/// What is recorded of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamStats {
    /// Its name.
    pub upstream: String,
    /// How many repositories.
    pub repositories: u64,
    /// How many tags.
    pub tags: u64,
    /// How many digests its repositories may show, those of several once in each.
    pub grants: u64,
}

impl Tend {
    /// Counts.
    ///
    /// # Errors
    /// [`TendError`]
    pub fn stats(&self) -> Result<Stats, TendError> {
        let usage = self.store().usage()?;
        let limits = self.store().limits();
        let quarantine = self.store().quarantined()?;
        let (records, upstreams) = self.count()?;
        Ok(Stats {
            objects: usage.objects,
            stored: usage.stored,
            fixed: usage.fixed,
            unfinished: usage.unfinished,
            promised: usage.promised,
            held: usage.held,
            used: usage.used,
            max_size: limits.max_size,
            min_free: limits.min_free,
            evicted: usage.evicted,
            evicted_bytes: usage.evicted_bytes,
            quarantined: quarantine.len() as u64,
            quarantined_bytes: quarantine.iter().map(|file| file.disk).sum(),
            quarantine: quarantine.into_iter().map(|file| file.name).collect(),
            records,
            upstreams,
        })
    }

    fn count(&self) -> Result<(u64, Vec<UpstreamStats>), TendError> {
        let mut all: BTreeMap<String, UpstreamStats> = BTreeMap::new();
        let mut records = 0;
        for label in Label::ALL {
            each(self.file(), label.name(), "", |kept| {
                records += 1;
                if label.name() == DEFAULT_STORE {
                    match Fact::parse(&kept.key) {
                        Some(Fact::Tag(place, _)) => of(&mut all, place).tags += 1,
                        Some(Fact::Grant(place, _)) => of(&mut all, place).grants += 1,
                        _ => {}
                    }
                }
                Ok::<(), TendError>(())
            })?;
        }
        let mut places = Places::new(self.file());
        while let Some(place) = places.next()? {
            of(&mut all, place).repositories += 1;
        }
        let named = all
            .into_iter()
            .map(|(upstream, stats)| UpstreamStats { upstream, ..stats });
        Ok((records, named.collect()))
    }
}

fn of(all: &mut BTreeMap<String, UpstreamStats>, place: Place) -> &mut UpstreamStats {
    all.entry(place.upstream).or_default()
}
