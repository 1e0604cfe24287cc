//! What is recorded of a repository, and all repositories one after the other.

use std::time::SystemTime;

use ledge_core::digest::Digest;
use ledge_core::fact::{Fact, Place};
use ledge_core::key::DEFAULT_STORE;
use ledge_core::name::Tag;
use ledge_core::record::{Grant, TagRecord};
use ledge_store::{Kept, KvError, RedbFile};

/// How many records are looked at together.
pub(crate) const PAGE: usize = 1024;

/// Behind every digit, and so behind every digest of an algorithm.
const BEHIND: char = '~';

/// What is recorded of one repository. It is as large as the repository is.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) place: Place,
    pub(crate) tags: Vec<Tagged>,
    pub(crate) grants: Vec<Granted>,
}

/// A tag, and what it means.
#[derive(Debug)]
pub(crate) struct Tagged {
    pub(crate) tag: Tag,
    pub(crate) record: TagRecord,
    pub(crate) used: Option<SystemTime>,
}

/// A digest that the repository may show.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) digest: Digest,
    pub(crate) grant: Grant,
    pub(crate) used: Option<SystemTime>,
}

/// Shows `look` every record whose key begins with `prefix`.
pub(crate) fn each<E: From<KvError>>(
    file: &RedbFile,
    label: &str,
    prefix: &str,
    mut look: impl FnMut(Kept) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = prefix.to_owned();
    loop {
        let page = file.page(label, Some(&after), PAGE)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after.clone_from(&last.key);
        for record in page {
            if !record.key.starts_with(prefix) {
                return Ok(());
            }
            look(record)?;
        }
    }
}

impl Repository {
    /// Reads what is recorded.
    pub(crate) fn load(file: &RedbFile, place: Place) -> Result<Self, KvError> {
        let (mut tags, mut grants) = (Vec::new(), Vec::new());
        each(file, DEFAULT_STORE, &place.tags(), |kept| {
            if let Some(Fact::Tag(at, tag)) = Fact::parse(&kept.key)
                && at == place
                && let Some(record) = TagRecord::decode(&kept.value)
            {
                let used = kept.used;
                tags.push(Tagged { tag, record, used });
            }
            Ok::<(), KvError>(())
        })?;
        for algorithm in ["sha256:", "sha512:"] {
            let prefix = format!("{}{algorithm}", place.grants());
            each(file, DEFAULT_STORE, &prefix, |kept| {
                if let Some(Fact::Grant(_, digest)) = Fact::parse(&kept.key)
                    && let Some(grant) = Grant::decode(&kept.value)
                {
                    let used = kept.used;
                    grants.push(Granted {
                        digest,
                        grant,
                        used,
                    });
                }
                Ok::<(), KvError>(())
            })?;
        }
        Ok(Self {
            place,
            tags,
            grants,
        })
    }
}

/// All repositories of which there is a tag or a grant, each once. It skips from one to the next.
pub(crate) struct Places<'a> {
    file: &'a RedbFile,
    /// Behind which key of a grant the next one is; none when all were seen.
    grants: Option<String>,
    /// The same for tags.
    tags: Option<String>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(file: &'a RedbFile) -> Self {
        Self {
            file,
            grants: Some("grant/".to_owned()),
            tags: Some("tag/".to_owned()),
        }
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Result<Option<Place>, KvError> {
        while let Some(after) = self.grants.take() {
            let Some(key) = first(self.file, &after, "grant/")? else {
                break;
            };
            let Some(Fact::Grant(place, digest)) = Fact::parse(&key) else {
                self.grants = Some(key);
                continue;
            };
            let algorithm = digest.algorithm();
            self.grants = Some(format!("{}{algorithm}:{BEHIND}", place.grants()));
            let was_before =
                algorithm.as_str() != "sha256" && has_grants(self.file, &place, "sha256:")?;
            if !was_before {
                return Ok(Some(place));
            }
        }
        while let Some(after) = self.tags.take() {
            let Some(key) = first(self.file, &after, "tag/")? else {
                break;
            };
            let fact = Fact::parse(&key);
            self.tags = Some(key);
            if let Some(Fact::Tag(place, tag)) = fact
                && !has_grants(self.file, &place, "")?
                && is_first(self.file, &place, &tag)?
            {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// The first key behind `after`, if it begins so.
fn first(file: &RedbFile, after: &str, prefix: &str) -> Result<Option<String>, KvError> {
    let page = file.page(DEFAULT_STORE, Some(after), 1)?;
    let key = page.into_iter().next().map(|kept| kept.key);
    Ok(key.filter(|key| key.starts_with(prefix)))
}

/// Whether the repository itself has grants, whose digests begin so.
fn has_grants(file: &RedbFile, place: &Place, algorithm: &str) -> Result<bool, KvError> {
    let all = ["sha256:", "sha512:"];
    for known in all.iter().filter(|known| known.starts_with(algorithm)) {
        let prefix = format!("{}{known}", place.grants());
        if first(file, &prefix, &prefix)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a tag is the first of its repository, of whose records others may stand between.
fn is_first(file: &RedbFile, place: &Place, tag: &Tag) -> Result<bool, KvError> {
    let prefix = place.tags();
    let mut after = prefix.clone();
    loop {
        let Some(key) = first(file, &after, &prefix)? else {
            return Ok(false);
        };
        match Fact::parse(&key) {
            Some(Fact::Tag(at, found)) if at == *place => return Ok(found == *tag),
            _ => after = key,
        }
    }
}
