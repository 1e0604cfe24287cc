//! Takes images away: their records, and the objects that nothing else that is recorded needs.
//!
//! Within a repository, an object is needed by every other image of it. From repository to repository, it is needed by
//! every grant: that is what says that a repository consists of it. So no manifest of others has to be read.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::SystemTime;

use ledge_core::digest::Digest;
use ledge_core::fact::{Fact, Place};
use ledge_core::key::DEFAULT_STORE;
use ledge_core::name::Tag;
use ledge_core::record::TagRecord;
use ledge_store::Class;
use serde::{Deserialize, Serialize};

use crate::error::TendError;
use crate::event::{Event, Watch};
use crate::fingerprint::Fingerprint;
use crate::images::Found;
use crate::list::Row;
use crate::repository::{PAGE, Places, Repository, each};
use crate::select::Selector;
use crate::tend::{Label, Tend};

/// What is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// Which images. A digest that is named goes even where other images need it: they fetch it again.
    pub selector: Selector,
    /// Whether what an operator pinned goes too.
    #[serde(default)]
    pub pinned: bool,
    /// Whether all stays, and it is only told what would go.
    #[serde(default)]
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeReport {
    /// How many images.
    pub images: u64,
    /// How many records.
    pub records: u64,
    /// How many objects.
    pub objects: u64,
    /// What those take of the disk, in bytes.
    pub bytes: u64,
    /// How many objects stay because something else that is recorded needs them.
    pub needed: u64,
    /// How many images and objects stay because they are pinned, or have no other home.
    pub pinned: u64,
    /// Whether nothing was done.
    pub dry_run: bool,
}

/// What goes of one repository.
struct Part {
    images: Vec<Found>,
    /// Images that would go if they were not pinned.
    pinned: u64,
    tags: Vec<(Tag, Digest)>,
    grants: Vec<Digest>,
    /// Whether nothing is left.
    whole: bool,
}

/// An object that goes if nothing else refers to it.
#[derive(Clone, Copy, Default)]
struct Going {
    /// How many records that refer to it go.
    referring: u32,
    /// How many there are.
    all: u32,
    /// Whether it goes in any case.
    named: bool,
}

impl Going {
    fn goes(self) -> bool {
        self.named || self.all <= self.referring
    }
}

impl Tend {
    /// Takes away what is meant, or says what would go.
    ///
    /// # Errors
    /// [`TendError::Everything`] if nothing is named, and others; part of it may be gone then.
    pub fn purge(
        &self,
        purge: &Purge,
        now: SystemTime,
        watch: &mut Watch<'_>,
    ) -> Result<PurgeReport, TendError> {
        if purge.selector.is_empty() {
            return Err(TendError::Everything);
        }
        let _work = self.work()?;
        let mut run = Run {
            tend: self,
            purge,
            now,
            going: HashMap::new(),
            upstreams: BTreeSet::new(),
            report: PurgeReport {
                dry_run: purge.dry_run,
                ..PurgeReport::default()
            },
        };
        run.plan(watch)?;
        run.weigh()?;
        if !purge.dry_run {
            run.forget()?;
            self.file().flush()?;
        }
        run.objects()?;
        if !purge.dry_run {
            self.file().flush()?;
            (self.parts().changed)();
        }
        Ok(run.report)
    }
}

struct Run<'a> {
    tend: &'a Tend,
    purge: &'a Purge,
    now: SystemTime,
    going: HashMap<Fingerprint, Going>,
    /// Of which something goes.
    upstreams: BTreeSet<String>,
    report: PurgeReport,
}

impl Run<'_> {
    /// Finds out what goes.
    fn plan(&mut self, watch: &mut Watch<'_>) -> Result<(), TendError> {
        let mut places = Places::new(self.tend.file());
        while let Some(place) = places.next()? {
            let Some((repository, part)) = self.part(place)? else {
                continue;
            };
            for image in &part.images {
                watch(Event::Image(Row::new(&repository.place, image)))?;
            }
            self.report.images += part.images.len() as u64;
            self.report.pinned += part.pinned;
            self.report.records += (part.tags.len() + part.grants.len()) as u64;
            if part.whole {
                self.report.records += self.lists(&repository.place)?.len() as u64;
            }
            for digest in part.tags.iter().map(|(_, digest)| digest) {
                self.going(digest).referring += 1;
            }
            for digest in &part.grants {
                self.going(digest).referring += 1;
            }
            self.upstreams.insert(repository.place.upstream);
        }
        Ok(())
    }

    fn going(&mut self, digest: &Digest) -> &mut Going {
        let named = self.purge.selector.digest() == Some(digest);
        let going = self.going.entry(digest.into()).or_default();
        going.named |= named;
        going
    }

    /// What goes of a repository; none if nothing does.
    fn part(&self, place: Place) -> Result<Option<(Repository, Part)>, TendError> {
        let selector = &self.purge.selector;
        if !selector.allows(&place, &self.tend.parts().upstreams) {
            return Ok(None);
        }
        let repository = Repository::load(self.tend.file(), place)?;
        let (mut gone, mut kept, mut pinned) = (Vec::new(), Vec::new(), 0);
        for image in repository.images(self.tend.store())? {
            let is_meant = selector.matches(&repository.place, &image, self.now)
                && selector.digest().is_none_or(|digest| *digest == image.root);
            match is_meant {
                true if image.is_pinned && !self.purge.pinned => {
                    pinned += 1;
                    kept.push(image);
                }
                true => gone.push(image),
                false => kept.push(image),
            }
        }
        // What belongs to no image goes with the last one.
        let whole = kept.is_empty() && (selector.is_of_repositories() || !gone.is_empty());
        let mut objects = HashSet::new();
        gone.iter()
            .for_each(|image| image.tree.add_to(&mut objects));
        let mut needed = HashSet::new();
        kept.iter().for_each(|image| image.tree.add_to(&mut needed));
        let named = selector.digest();
        let grants = repository.grants.iter().map(|granted| &granted.digest);
        let grants: Vec<Digest> = grants
            .filter(|digest| {
                let is_needed = needed.contains(digest);
                whole || (objects.contains(digest) && !is_needed) || named == Some(digest)
            })
            .cloned()
            .collect();
        let tags = gone.iter().filter_map(|image| {
            let tag = image.tag.clone()?;
            Some((tag, image.root.clone()))
        });
        let tags: Vec<_> = tags.collect();
        if tags.is_empty() && grants.is_empty() && pinned == 0 {
            return Ok(None);
        }
        let part = Part {
            tags,
            images: gone,
            pinned,
            grants,
            whole,
        };
        Ok(Some((repository, part)))
    }

    /// The keys of the lists of a repository.
    fn lists(&self, place: &Place) -> Result<Vec<String>, TendError> {
        let file = self.tend.file();
        let mut keys = Vec::new();
        let tags = Fact::Tags(place.clone()).key();
        if file.label(DEFAULT_STORE).exists(&tags)? {
            keys.push(tags);
        }
        each(file, DEFAULT_STORE, &place.referrers(), |kept| {
            if let Some(Fact::Referrers(at, _)) = Fact::parse(&kept.key)
                && at == *place
            {
                keys.push(kept.key);
            }
            Ok::<(), TendError>(())
        })?;
        Ok(keys)
    }

    /// Counts what refers to the objects that may go.
    fn weigh(&mut self) -> Result<(), TendError> {
        let file = self.tend.file();
        let going = &mut self.going;
        let mut refer = |digest: &Digest| {
            if let Some(going) = going.get_mut(&digest.into()) {
                going.all += 1;
            }
        };
        each(file, DEFAULT_STORE, "grant/", |kept| {
            if let Some(Fact::Grant(_, digest)) = Fact::parse(&kept.key) {
                refer(&digest);
            }
            Ok::<(), TendError>(())
        })?;
        each(file, DEFAULT_STORE, "tag/", |kept| {
            if let Some(record) = TagRecord::decode(&kept.value) {
                refer(&record.digest);
            }
            Ok(())
        })
    }

    /// Takes the records away, while manifests still say what belongs together.
    fn forget(&self) -> Result<(), TendError> {
        let mut places = Places::new(self.tend.file());
        while let Some(place) = places.next()? {
            let Some((repository, part)) = self.part(place)? else {
                continue;
            };
            let place = &repository.place;
            let default = |key: &str| self.tend.forget(Label::Default, key);
            for (tag, _) in part.tags {
                default(&Fact::Tag(place.clone(), tag).key())?;
            }
            for digest in part.grants {
                default(&Fact::Grant(place.clone(), digest).key())?;
            }
            if part.whole {
                self.lists(place)?.iter().try_for_each(|key| default(key))?;
                self.tend.forget(Label::Catalog, &place.to_string())?;
            }
        }
        Ok(())
    }

    /// Takes the objects away, or counts them.
    fn objects(&mut self) -> Result<(), TendError> {
        let mut after = None;
        loop {
            let page = self.tend.store().page(after.as_deref(), PAGE);
            for about in page.objects {
                let Some(going) = self.going.get(&Fingerprint::from(&about.digest)) else {
                    continue;
                };
                let stays = |class| {
                    class != Class::Cached && !(class == Class::Pinned && self.purge.pinned)
                };
                if !going.goes() {
                    self.report.needed += 1;
                } else if stays(about.keeping.class) {
                    self.report.pinned += 1;
                } else if self.purge.dry_run
                    || self
                        .tend
                        .store()
                        .remove_if(&about.digest, |about| !stays(about.keeping.class))?
                {
                    self.report.objects += 1;
                    self.report.bytes += about.disk;
                    self.forget_sources(&about.digest)?;
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// That an object's bytes came from an upstream is of no use without them.
    fn forget_sources(&self, digest: &Digest) -> Result<(), TendError> {
        if self.purge.dry_run {
            return Ok(());
        }
        for upstream in &self.upstreams {
            let source = Fact::Source(upstream.clone(), digest.clone());
            self.tend.forget_here(Label::Default, &source.key())?;
        }
        Ok(())
    }
}
