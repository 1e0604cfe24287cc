//! Takes away what is of no use to anybody.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use ledge_core::digest::Digest;
use ledge_core::fact::Fact;
use ledge_core::key::DEFAULT_STORE;
use ledge_core::record::{Grant, TagRecord};
use ledge_store::Class;
use serde::{Deserialize, Serialize};

use crate::error::TendError;
use crate::event::{Event, Watch};
use crate::fingerprint::Fingerprint;
use crate::repository::{PAGE, Places, each};
use crate::tend::{Label, Tend};

/// What was used or written an hour ago may be about to be granted, or to be stored: a large layer over a slow link
/// takes minutes.
const GRACE: Duration = Duration::from_secs(60 * 60);

/// How many objects are compared with what refers to them in one pass over all records: they take some 40 MiB.
const PASS: u64 = 1 << 20;

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcReport {
    /// What unfinished objects took that nobody worked on, in bytes of the disk.
    pub leftovers: u64,
    /// How many records were too old, or too many.
    pub expired: u64,
    /// How many records said something of objects that are not stored.
    pub dangling: u64,
    /// How many objects no record refers to.
    pub unreached: u64,
    /// What those took.
    pub unreached_bytes: u64,
    /// How many objects were evicted, because nobody used them for too long or to have room ahead of need.
    pub evicted: u64,
    /// What those took.
    pub evicted_bytes: u64,
}

impl Tend {
    /// Takes away leftovers, records that are too old or say something of what is not there, objects that no record
    /// refers to, and then makes room as far as the store keeps some free.
    ///
    /// # Errors
    /// [`TendError`]; part of it may be gone then.
    pub fn gc(&self, now: SystemTime, watch: &mut Watch<'_>) -> Result<GcReport, TendError> {
        let _work = self.work()?;
        let mut report = GcReport {
            leftovers: self.store().drop_leftovers(now)?,
            ..GcReport::default()
        };
        for label in Label::ALL {
            let parts = self.parts();
            report.expired += parts.file.sweep(label.name(), &parts.bounds, now)?;
        }
        let since = now.checked_sub(GRACE).unwrap_or(SystemTime::UNIX_EPOCH);
        report.dangling = self.drop_dangling(since)?;
        self.drop_unreached(since, &mut report, watch)?;
        (report.evicted, report.evicted_bytes) = self.store().tidy(now)?;
        self.file().flush()?;
        (self.parts().changed)();
        Ok(report)
    }

    /// Forgets what is said of objects that are not stored. What an index said of the platform of one stays: rules are
    /// kept by it.
    fn drop_dangling(&self, since: SystemTime) -> Result<u64, TendError> {
        let mut dropped = 0;
        for prefix in ["tag/", "grant/", "source/"] {
            each(self.file(), DEFAULT_STORE, prefix, |kept| {
                let digest = match Fact::parse(&kept.key) {
                    Some(Fact::Tag(..)) => TagRecord::decode(&kept.value).map(|tag| tag.digest),
                    Some(Fact::Grant(_, digest)) => {
                        let grant = Grant::decode(&kept.value);
                        grant
                            .filter(|grant| grant.platform.is_none())
                            .map(|_| digest)
                    }
                    Some(Fact::Source(_, digest)) => Some(digest),
                    _ => None,
                };
                let is_old = kept.used.is_some_and(|used| used < since);
                if let Some(digest) = digest.filter(|_| is_old)
                    && self.store().size(&digest)?.is_none()
                {
                    self.forget_here(Label::Default, &kept.key)?;
                    dropped += 1;
                }
                Ok::<(), TendError>(())
            })?;
        }
        Ok(dropped)
    }

    /// Removes objects that no record refers to. Where nothing is recorded at all, another component than ours keeps
    /// records of its own, and nobody can tell.
    fn drop_unreached(
        &self,
        since: SystemTime,
        report: &mut GcReport,
        watch: &mut Watch<'_>,
    ) -> Result<(), TendError> {
        if Places::new(self.file()).next()?.is_none() {
            return Ok(());
        }
        let usage = self.store().usage()?;
        let passes = usize::try_from(usage.objects.div_ceil(PASS)).unwrap_or(usize::MAX);
        let width = 256_usize.div_ceil(passes.clamp(1, 256));
        let (mut seen, mut first) = (0, 0);
        while first < 256 {
            let span = first..first + width;
            let referred = self.referred(&span)?;
            let mut after = Some(format!("{first:02x}"));
            while let Some(from) = after.take() {
                let page = self.store().page(Some(&from), PAGE);
                for about in &page.objects {
                    if !span.contains(&byte(&about.digest)) {
                        break;
                    }
                    seen += about.disk;
                    let goes = about.used < since && about.keeping.class == Class::Cached;
                    if goes && !referred.contains(&Fingerprint::from(&about.digest)) {
                        let is_right = |now: &ledge_store::About| now == about;
                        if self.store().remove_if(&about.digest, is_right)? {
                            report.unreached += 1;
                            report.unreached_bytes += about.disk;
                        }
                    }
                }
                let of = usage.stored.max(seen);
                watch(Event::Progress { done: seen, of })?;
                let end = format!("{:02x}", span.end);
                after = page.next.filter(|next| span.end > 255 || *next < end);
            }
            first += width;
        }
        Ok(())
    }

    /// What records refer to, of the digests whose first byte is one of these.
    fn referred(&self, span: &std::ops::Range<usize>) -> Result<HashSet<Fingerprint>, TendError> {
        let mut referred = HashSet::new();
        let mut refer = |digest: &Digest| {
            if span.contains(&byte(digest)) {
                referred.insert(Fingerprint::from(digest));
            }
        };
        each(self.file(), DEFAULT_STORE, "grant/", |kept| {
            if let Some(Fact::Grant(_, digest)) = Fact::parse(&kept.key) {
                refer(&digest);
            }
            Ok::<(), TendError>(())
        })?;
        each(self.file(), DEFAULT_STORE, "tag/", |kept| {
            if let Some(record) = TagRecord::decode(&kept.value) {
                refer(&record.digest);
            }
            Ok::<(), TendError>(())
        })?;
        Ok(referred)
    }
}

fn byte(digest: &Digest) -> usize {
    usize::from_str_radix(&digest.hex()[..2], 16).unwrap_or_default()
}
