//! Images into the store, from an OCI image layout that came from anywhere.
//!
//! Every byte is verified before it is an object, by the way that a transfer takes. Nothing is recorded before all is
//! there and right; what is refused leaves nothing behind.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::time::SystemTime;

use ledge_core::digest::Digest;
use ledge_core::manifest::{MAX_MANIFEST, Manifest};
use ledge_store::{Class, Keeping, Room, StoreError};
use serde::{Deserialize, Serialize};

use crate::error::TendError;
use crate::layout::{
    Archive, INDEX, Index, LayoutError, MARKER, MAX_INDEX, MAX_MARKER, Member, check_marker, whole,
};
use crate::restore::{Restored, wanted};
use crate::tend::Tend;
use ledge_core::hash::Hasher;

/// How many bytes are read at once.
const BLOCK: usize = 1 << 20;

/// Most objects of a layout: what is new is remembered until all is right.
const MOST: usize = 1 << 17;

/// Manifests are kept rather than blobs, as pulls keep them.
const MANIFESTS: Keeping = Keeping {
    class: Class::Cached,
    priority: 192,
};

/// How to import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Import {
    /// Whether images of private repositories may be shown to everybody whom this mirror serves.
    pub public: bool,
    /// How many bytes come, if that is known: room is made for all of them first.
    pub size: Option<u64>,
}

/// What was imported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// The names of the images.
    pub images: Vec<String>,
    /// How many objects came that were not stored.
    pub objects: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// How many objects were stored already.
    pub present: u64,
}

impl Tend {
    /// Reads a layout, which comes as a tar.
    ///
    /// # Errors
    /// [`TendError`]; the store is as it was then, but for what was evicted.
    pub fn import(
        &self,
        import: &Import,
        now: SystemTime,
        from: &mut dyn Read,
    ) -> Result<ImportReport, TendError> {
        let _work = self.work()?;
        let room = import
            .size
            .map(|size| self.store().room(size))
            .transpose()?;
        let mut run = Run {
            tend: self,
            room,
            new: HashMap::new(),
            report: ImportReport::default(),
            buffer: vec![0; BLOCK],
        };
        let restored = run.read(from).and_then(|index| {
            let restored = wanted(self, &index, import.public)?;
            restored.iter().try_for_each(|image| image.record(now))?;
            Ok(restored)
        });
        let restored = match restored {
            Ok(restored) => restored,
            Err(error) => {
                run.undo(&[]);
                return Err(error);
            }
        };
        run.undo(&restored);
        self.file().flush()?;
        (self.parts().changed)();
        run.report.images = restored.iter().map(Restored::name).collect();
        Ok(run.report)
    }
}

struct Run<'a> {
    tend: &'a Tend,
    room: Option<Room>,
    /// What was not stored before, and how many bytes it has.
    new: HashMap<Digest, u64>,
    report: ImportReport,
    buffer: Vec<u8>,
}

impl Run<'_> {
    /// Stores the blobs; the answer is what the layout lists.
    fn read(&mut self, from: &mut dyn Read) -> Result<Index, TendError> {
        let mut archive = tar::Archive::new(from);
        let mut members = Archive::new(&mut archive)?;
        let (mut marked, mut index) = (false, None);
        while let Some((member, mut entry)) = members.next()? {
            let size = entry.size();
            match member {
                Member::Marker => {
                    check_marker(&whole(&mut entry, size, MAX_MARKER, MARKER)?)?;
                    marked = true;
                }
                Member::Index => {
                    index = Some(Index::parse(&whole(&mut entry, size, MAX_INDEX, INDEX)?)?);
                }
                Member::Blob(digest) => self.blob(&digest, size, &mut entry)?,
            }
        }
        if !marked {
            return Err(LayoutError::Missing(MARKER).into());
        }
        Ok(index.ok_or(LayoutError::Missing(INDEX))?)
    }

    fn blob(&mut self, digest: &Digest, size: u64, from: &mut dyn Read) -> Result<(), TendError> {
        let store = self.tend.store();
        let mut hash = Hasher::new(digest.algorithm());
        let is_there = store.size(digest)? == Some(size);
        if is_there {
            self.copy(size, from, &mut hash, |_, _| Ok(()))?;
            is_right(digest, &hash)?;
            self.report.present += u64::from(!self.new.contains_key(digest));
            return Ok(());
        }
        if self.new.len() >= MOST {
            return Err(TendError::TooMany);
        }
        // A transfer of the same object may be under way: that has the name, and this needs none.
        let partial = store.scratch()?;
        if let Some(room) = &self.room {
            room.give(size);
        }
        partial.reserve(size)?;
        let mut head = Vec::new();
        self.copy(size, from, &mut hash, |bytes, at| {
            if size <= u64::from(MAX_MANIFEST) {
                head.extend_from_slice(bytes);
            }
            partial.write_at(bytes, at)
        })?;
        is_right(digest, &hash)?;
        let is_manifest = Manifest::parse(&head).is_ok_and(|read| !read.children.is_empty());
        let keeping = if is_manifest {
            MANIFESTS
        } else {
            Keeping::default()
        };
        partial.commit(digest, size, keeping)?;
        self.new.insert(digest.clone(), size);
        Ok(())
    }

    /// Reads exactly so many bytes.
    fn copy(
        &mut self,
        size: u64,
        from: &mut dyn Read,
        hash: &mut Hasher,
        mut take: impl FnMut(&[u8], u64) -> Result<(), StoreError>,
    ) -> Result<(), TendError> {
        let mut at = 0;
        while at < size {
            let most = usize::try_from(size - at).unwrap_or(BLOCK).min(BLOCK);
            let read = from
                .read(&mut self.buffer[..most])
                .map_err(LayoutError::Read)?;
            if read == 0 {
                let cut = std::io::ErrorKind::UnexpectedEof;
                return Err(LayoutError::Read(cut.into()).into());
            }
            hash.update(&self.buffer[..read]);
            take(&self.buffer[..read], at)?;
            at += read as u64;
        }
        Ok(())
    }

    /// Removes what came, but for what images consist of; counts that.
    fn undo(&mut self, but: &[Restored<'_>]) {
        let needed: HashSet<&Digest> = but.iter().flat_map(Restored::digests).collect();
        for (digest, size) in &self.new {
            if needed.contains(digest) {
                self.report.objects += 1;
                self.report.bytes += size;
                continue;
            }
            let is_cached = |about: &ledge_store::About| about.keeping.class == Class::Cached;
            if let Err(error) = self.tend.store().remove_if(digest, is_cached) {
                tracing::warn!(%digest, %error, "what is not needed of a layout cannot be removed");
            }
        }
    }
}

fn is_right(digest: &Digest, hash: &Hasher) -> Result<(), TendError> {
    if hash.digest() == *digest {
        Ok(())
    } else {
        Err(TendError::Damaged(digest.to_string()))
    }
}
