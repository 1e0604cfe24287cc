//! Images out of the store, as an OCI image layout.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::time::SystemTime;

use ledge_core::digest::Digest;
use ledge_core::fact::Place;
use ledge_store::Stored;
use serde::{Deserialize, Serialize};

use crate::error::TendError;
use crate::event::{Event, Watch};
use crate::fingerprint::Fingerprint;
use crate::images::Found;
use crate::layout::{Described, Index, LayoutWriter, MAX_INDEX};
use crate::list::Row;
use crate::select::Selector;
use crate::tend::Tend;
use ledge_core::hash::Hasher;

/// What is exported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Which images; an empty selector means all.
    pub selector: Selector,
    /// Whether images of private repositories may be among them: who has the layout has them.
    #[serde(default)]
    pub public: bool,
}

/// What was, or would be, exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    /// How many images.
    pub images: u64,
    /// How many objects, each once.
    pub objects: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// How many images were left out because not all that one platform needs is stored.
    pub incomplete: u64,
}

impl Tend {
    /// Says what would be exported.
    ///
    /// # Errors
    /// [`TendError`]
    pub fn plan_export(
        &self,
        export: &Export,
        now: SystemTime,
        watch: &mut Watch<'_>,
    ) -> Result<ExportReport, TendError> {
        let mut sums = Sums::default();
        self.each_whole(export, now, &mut sums, &mut |place, image, parts, _| {
            let (objects, bytes) = (parts.len() as u64, parts.iter().map(|(_, size)| size).sum());
            let row = Row {
                objects,
                stored: objects,
                bytes,
                ..Row::new(place, image)
            };
            watch(Event::Image(row))?;
            Ok(())
        })?;
        Ok(sums.report)
    }

    /// Writes a layout as a tar.
    ///
    /// # Errors
    /// [`TendError`]; what was written is no layout then.
    pub fn export(
        &self,
        export: &Export,
        now: SystemTime,
        out: &mut dyn Write,
    ) -> Result<ExportReport, TendError> {
        let mut writer = LayoutWriter::new(out).map_err(TendError::Write)?;
        let (mut sums, mut images) = (Sums::default(), Vec::new());
        self.each_whole(export, now, &mut sums, &mut |place, image, _, new| {
            for digest in new {
                self.write(&mut writer, digest)?;
            }
            images.push(Described::new(
                image.name(place),
                image.media_type.to_string(),
                image.root.to_string(),
                image.tree.0[0].size.unwrap_or_default(),
            ));
            Ok(())
        })?;
        let index = Index::new(images).json();
        if index.len() as u64 > MAX_INDEX {
            return Err(TendError::TooMany);
        }
        writer.finish(&index).map_err(TendError::Write)?;
        Ok(sums.report)
    }

    /// Shows `take` every image that is meant and whole: its parts with their sizes, and which of these are new.
    fn each_whole(
        &self,
        export: &Export,
        now: SystemTime,
        sums: &mut Sums,
        take: &mut Take<'_>,
    ) -> Result<(), TendError> {
        let mut met = vec![false; export.selector.images().len()];
        self.each_image(&export.selector, now, &mut |place, image| {
            let upstream = self.parts().upstreams.find(&place.upstream);
            let is_private = upstream.is_none_or(|known| known.is_private(&place.repository));
            if is_private && !export.public {
                return Err(TendError::Private(image.name(place)));
            }
            let named = export.selector.images().iter().zip(&mut met);
            let called = named.filter(|(named, _)| {
                *named.repository() == place.repository && image.is_called(named.reference())
            });
            let is_named = called.map(|(_, met)| *met = true).count() > 0;
            let parts = image.tree.whole();
            if parts.is_empty() {
                sums.report.incomplete += 1;
                return match is_named {
                    true => Err(TendError::Incomplete(image.name(place))),
                    false => Ok(()),
                };
            }
            let new = sums.add(&parts);
            take(place, image, &parts, &new)
        })?;
        match met.iter().position(|met| !met) {
            Some(lacking) => {
                let lacking = &export.selector.images()[lacking];
                Err(TendError::NoImage(lacking.to_string()))
            }
            None => Ok(()),
        }
    }

    fn write<W: Write>(
        &self,
        writer: &mut LayoutWriter<W>,
        digest: &Digest,
    ) -> Result<(), TendError> {
        let gone = || TendError::Evicted(digest.to_string());
        let stored = self.store().look(digest)?.ok_or_else(gone)?;
        let mut bytes = Verified::new(&stored);
        let written = writer.blob(digest, stored.size(), &mut bytes);
        let is_right = bytes.ends_right();
        written.map_err(TendError::Write)?;
        if is_right {
            Ok(())
        } else {
            Err(TendError::Damaged(digest.to_string()))
        }
    }
}

/// What is done with an image: its place, its parts with their sizes, and which of these are new.
type Take<'a> =
    dyn FnMut(&Place, &Found, &[(Digest, u64)], &[Digest]) -> Result<(), TendError> + 'a;

#[derive(Default)]
struct Sums {
    report: ExportReport,
    written: HashSet<Fingerprint>,
}

impl Sums {
    /// Counts an image; which of its parts are not those of others before.
    fn add(&mut self, parts: &[(Digest, u64)]) -> Vec<Digest> {
        self.report.images += 1;
        let mut new = Vec::new();
        for (digest, size) in parts {
            if self.written.insert(digest.into()) {
                self.report.objects += 1;
                self.report.bytes += size;
                new.push(digest.clone());
            }
        }
        new
    }
}

/// The bytes of an object, which are hashed on their way.
struct Verified<'a> {
    stored: &'a Stored,
    at: u64,
    hash: Hasher,
}

impl<'a> Verified<'a> {
    fn new(stored: &'a Stored) -> Self {
        Self {
            stored,
            at: 0,
            hash: Hasher::new(stored.digest().algorithm()),
        }
    }

    fn ends_right(self) -> bool {
        self.hash.digest() == *self.stored.digest()
    }
}

impl Read for Verified<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stored.read_at(buffer, self.at)?;
        self.hash.update(&buffer[..read]);
        self.at += read as u64;
        Ok(read)
    }
}
