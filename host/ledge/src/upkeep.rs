//! What the stores may hold, and for how long.

use std::time::{Duration, SystemTime};

use ledge_config::{Config, MaxAge, MaxSize, MinFree};
use ledge_store::{Amount, BlobStore, Bounds, RecordBounds, RedbFile};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How often what is too old is swept: leftovers, objects, records. Of the shortest age that can be
/// configured for objects it is the whole, of the others a small part.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// The labels of records that are kept on the disk.
const LABELS: [&str; 2] = ["default", "catalog"];

/// Where it stands when records were swept last, in seconds since the epoch: a restart is no reason to read them all
/// again.
const UPKEEP: &str = "upkeep";
const SWEPT: &str = "swept";

/// How long a record is kept that nobody asks for: no lifetime that can be configured is longer than a year, so
/// it has expired.
const RECORDS_UNUSED: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What the records of a label may take: a sixteenth of a bounded store, but enough for some ten thousand;
/// else enough for a million images: each costs some hundred bytes for its tag, and for each of its objects.
const RECORDS_SHARE: u64 = 16;
const RECORDS_LEAST: u64 = 4 << 20;
const RECORDS_MOST: u64 = 1 << 30;

/// The store's bounds.
pub(crate) fn bounds(config: &Config) -> Bounds {
    let amount = |amount| match amount {
        ledge_config::Amount::Size(size) => Amount::Bytes(size.as_u64()),
        ledge_config::Amount::Part(part) => Amount::Percent(part.get()),
    };
    Bounds {
        max_size: match config.store.max_size.value {
            MaxSize::None => None,
            MaxSize::Of(size) => Some(amount(size)),
        },
        min_free: match config.store.min_free.value {
            MinFree::Auto => None,
            MinFree::Of(free) => Some(amount(free)),
        },
        max_age: match config.store.max_age.value {
            MaxAge::None => None,
            MaxAge::Of(age) => Some(age),
        },
    }
}

/// Removes what is too old.
#[derive(Clone)]
pub(crate) struct Sweeper {
    store: BlobStore,
    records: RedbFile,
    bounds: RecordBounds,
}

impl Sweeper {
    /// Of what the configuration says.
    pub(crate) fn new(config: &Config, store: &BlobStore, records: &RedbFile) -> Self {
        Self {
            store: store.clone(),
            records: records.clone(),
            bounds: record_bounds(config),
        }
    }

    /// As long as it is polled.
    pub(crate) async fn run(self) {
        loop {
            let this = self.clone();
            // One that panicked has said so.
            let _ = spawn_blocking(move || this.sweep(SystemTime::now())).await;
            sleep(SWEEP).await;
        }
    }

    fn sweep(&self, now: SystemTime) {
        if let Err(error) = self.store.sweep(now) {
            tracing::warn!(%error, "cannot remove what is too old");
        }
        if self.is_swept(now) {
            return;
        }
        for label in LABELS {
            match self.records.sweep(label, &self.bounds, now) {
                Ok(0) => {}
                Ok(removed) => tracing::info!(label, removed, "records were too old or too many"),
                Err(error) => tracing::warn!(%error, label, "cannot remove records"),
            }
        }
        self.note_swept(now);
    }

    /// Whether records were swept so little ago that it is not due. Of a clock that was set back, nothing is known.
    fn is_swept(&self, now: SystemTime) -> bool {
        let found = self.records.label(UPKEEP).get(SWEPT);
        let text = found.ok().flatten();
        let seconds = text.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
        let since = seconds.and_then(|seconds| {
            let swept = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
            now.duration_since(swept).ok()
        });
        since.is_some_and(|since| since < SWEEP)
    }

    /// What is not noted is swept once more.
    fn note_swept(&self, now: SystemTime) {
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since.unwrap_or_default().as_secs().to_string();
        if let Err(error) = self.records.label(UPKEEP).set(SWEPT, seconds.into()) {
            tracing::debug!(%error, "it is not noted that records were swept");
        }
    }
}

/// How long records are kept, and how many.
pub(crate) fn record_bounds(config: &Config) -> RecordBounds {
    let bytes = match config.store.max_size.value {
        MaxSize::Of(ledge_config::Amount::Size(size)) => {
            (size.as_u64() / RECORDS_SHARE).clamp(RECORDS_LEAST, RECORDS_MOST)
        }
        MaxSize::None | MaxSize::Of(ledge_config::Amount::Part(_)) => RECORDS_MOST,
    };
    RecordBounds {
        unused: RECORDS_UNUSED,
        bytes,
    }
}

/// What the store holds at the end, and what went.
pub(crate) fn tell_usage(store: &BlobStore) {
    match store.usage() {
        Ok(usage) => tracing::info!(
            objects = usage.objects,
            stored = usage.stored,
            used = usage.used,
            evicted = usage.evicted,
            evicted_bytes = usage.evicted_bytes,
            "the store"
        ),
        Err(error) => tracing::warn!(%error, "the store cannot be measured"),
    }
}

#[cfg(test)]
mod tests {
    use ledge_store::{StoreOptions, open_redb};

    use super::*;

    #[test]
    fn a_restart_sweeps_no_records_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = BlobStore::open(&StoreOptions {
            path: folder.path().join("store"),
            memory: 0,
            leftovers: SWEEP,
            bounds: Bounds::NONE,
        });
        let sweeper = || Sweeper {
            store: store.as_ref().expect("a store").clone(),
            records: open_redb(&folder.path().join("kv.redb")).expect("records"),
            // Whatever is older than the minute goes.
            bounds: RecordBounds {
                unused: Duration::ZERO,
                bytes: u64::MAX,
            },
        };
        let is_there = |after: Duration| {
            let sweeper = sweeper();
            let label = sweeper.records.label("default");
            label.set("key", "value".into()).expect("set");
            sweeper.sweep(SystemTime::now() + after);
            label.exists("key").expect("answered")
        };
        let minute = Duration::from_secs(60);
        assert!(!is_there(2 * minute));
        assert!(is_there(4 * minute), "it was swept a moment ago");
        assert!(!is_there(2 * minute + SWEEP));
        assert!(!is_there(2 * minute), "the clock was set back");
    }
}
