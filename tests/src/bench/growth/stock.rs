//! A store as clients leave it that pulled many images through Ledge, made without those pulls.
//!
//! A real pull costs several syncs of the disk, a million of them most of an hour. So one image of each size
//! is pulled for real, and its records are the pattern of all others'. The objects are put into the
//! directories of a store of format 1, which has no index: the store's own code makes one when it opens it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use ledge_store::{BlobStore, Bounds, KeyValue, RedbFile, StoreOptions, open_redb};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tempfile::TempDir;

use crate::bench::sample;
use crate::config::Config;
use crate::files;
use crate::images::{Image, OCI_MANIFEST, Object};
use crate::ledge::Ledge;
use crate::origin::Origin;

/// What each manifest and each blob has, 4 KiB; of one image of [`LARGE_EACH`] 16 KiB.
const SMALL: usize = 4 << 10;
const LARGE: usize = 16 << 10;
const LARGE_EACH: u64 = 64;

/// How many images a repository has.
const IMAGES: u64 = 500;

/// What the patterns are called.
const PATTERN: (&str, &str) = ("library/the-pattern-of-all", "the-pattern");

/// The labels of the records that are on the disk.
const LABELS: [&str; 2] = ["default", "catalog"];

/// After how many images their records are written: about half of what may wait.
const BATCH: u64 = 2_000;

/// How often it is looked whether the index is whole.
const LOOK: Duration = Duration::from_millis(50);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::bench) enum Asked {
    /// Manifests by their tags.
    Tags,
    /// Manifests by their digests.
    Manifests,
    /// Blobs.
    Blobs,
}

/// A request, and what must come.
#[derive(Debug)]
pub(in crate::bench) struct Wanted {
    pub(in crate::bench) path: String,
    pub(in crate::bench) digest: String,
}

/// A store of images, each a manifest and a blob.
#[derive(Debug)]
pub(in crate::bench) struct Stock {
    seed: u64,
    /// The digests of manifest and blob, by image.
    images: Vec<[Box<str>; 2]>,
    store: PathBuf,
    // Removed with it.
    _folder: TempDir,
}

/// A record of a pull.
struct Record {
    label: usize,
    key: String,
    value: String,
}

/// What a pull of the pattern leaves.
struct Pattern {
    digests: [Box<str>; 2],
    records: Vec<Record>,
}

impl Stock {
    /// Makes a store of `objects`.
    ///
    /// # Errors
    /// If the patterns cannot be pulled, or the disk is full.
    pub(in crate::bench) async fn fill(seed: u64, objects: u64, origin: &Origin) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ledge-growth-").tempdir()?;
        let store = folder.path().join("store");
        let patterns = [
            Pattern::pull(seed, SMALL, origin).await?,
            Pattern::pull(seed, LARGE, origin).await?,
        ];
        let mut stock = Self {
            seed,
            images: Vec::new(),
            store,
            _folder: folder,
        };
        let filled = thread::spawn(move || stock.make(objects / 2, &patterns).map(|()| stock));
        filled.join().ok().context("who fills has panicked")?
    }

    /// The store's directory.
    pub(in crate::bench) fn store(&self) -> &Path {
        &self.store
    }

    /// Reads every file, so that the kernel has it in memory.
    pub(in crate::bench) async fn read(&self) -> Result<()> {
        let store = self.store.clone();
        let read = move || {
            for path in files::under(&store) {
                io::copy(&mut fs::File::open(&path)?, &mut io::sink())?;
            }
            Ok(())
        };
        tokio::task::spawn_blocking(read).await?
    }

    /// `count` paths, a line each, drawn at random.
    pub(in crate::bench) fn draw(&self, asked: Asked, count: usize) -> String {
        let mut random = StdRng::seed_from_u64(self.seed ^ asked as u64);
        let mut paths = String::new();
        for _ in 0..count {
            let number = random.random_range(0..self.images.len());
            // Writing to a String cannot fail.
            let _ = writeln!(paths, "{}", self.request(asked, number).path);
        }
        paths
    }

    /// One of the requests, far from the one before.
    pub(in crate::bench) fn wanted(&self, asked: Asked, number: usize) -> Wanted {
        // The golden ratio's part of 2^32: a sequence that comes near to every place (Knuth, volume 3).
        let place = number.wrapping_mul(2_654_435_769) % self.images.len();
        self.request(asked, place)
    }

    fn request(&self, asked: Asked, number: usize) -> Wanted {
        let [manifest, blob] = &self.images[number];
        let (repository, tag) = names(number as u64);
        let (path, digest) = match asked {
            Asked::Tags => (format!("manifests/{tag}"), manifest),
            Asked::Manifests => (format!("manifests/{manifest}"), manifest),
            Asked::Blobs => (format!("blobs/{blob}"), blob),
        };
        Wanted {
            path: format!("/v2/{repository}/{path}"),
            digest: digest.to_string(),
        }
    }

    fn make(&mut self, images: u64, patterns: &[Pattern; 2]) -> Result<()> {
        let blobs = self.store.join("blobs/sha256");
        for first in 0..=u8::MAX {
            fs::create_dir_all(blobs.join(format!("{first:02x}")))?;
        }
        fs::write(self.store.join("format"), "1\n")?;
        let file = open_redb(&self.store.join("kv.redb"))?;
        let labels = LABELS.map(|label| file.label(label));
        for number in 0..images {
            let pattern = &patterns[usize::from(is_large(number))];
            let image = image(self.seed, number, size(number));
            let digests = put(&blobs, &image)?;
            pattern.remember(&labels, number, &digests)?;
            self.images.push(digests);
            if number % BATCH == BATCH - 1 {
                file.flush()?;
            }
        }
        drop((labels, file));
        self.index()
    }

    /// Has the store find its objects.
    fn index(&self) -> Result<()> {
        let store = BlobStore::open(&StoreOptions {
            path: self.store.clone(),
            memory: 0,
            leftovers: Duration::MAX,
            bounds: Bounds::NONE,
        })?;
        while !store.usage()?.complete {
            thread::sleep(LOOK);
        }
        let found = store.usage()?.objects;
        let expected = 2 * self.images.len() as u64;
        ensure!(found == expected, "{found} objects of {expected}");
        Ok(())
    }
}

impl Pattern {
    /// Pulls an image of which each object has `size` bytes.
    async fn pull(seed: u64, size: usize, origin: &Origin) -> Result<Self> {
        let (repository, tag) = PATTERN;
        let image = image(seed, u64::MAX, size);
        let (manifest, blob) = (image.root(), &image.blobs[0]);
        origin.put(repository, tag, &image);
        let ledge = Ledge::start(&Config::docker(origin.address())).await?;
        for path in [
            format!("manifests/{tag}"),
            format!("manifests/{}", manifest.digest),
            format!("blobs/{}", blob.digest),
        ] {
            let answer = ledge
                .get(&format!("/v2/{repository}/{path}"))
                .fetch()
                .await?;
            ensure!(answer.status == 200, "{path}: {}", answer.status);
        }
        ledge.terminate();
        ledge.ended(super::END).await?;
        Ok(Self {
            digests: [&manifest.digest, &blob.digest].map(|digest| digest.as_str().into()),
            records: records(&open_redb(&ledge.store().join("kv.redb"))?)?,
        })
    }

    /// Sets the records of an image.
    fn remember(&self, labels: &[KeyValue], number: u64, digests: &[Box<str>; 2]) -> Result<()> {
        let (repository, tag) = names(number);
        let changes = [
            (PATTERN.0, repository.as_str()),
            (PATTERN.1, tag.as_str()),
            (&self.digests[0], &digests[0]),
            (&self.digests[1], &digests[1]),
        ];
        let changed = |text: &str| {
            let mut text = text.to_owned();
            for (from, to) in changes {
                text = text.replace(from, to);
            }
            text
        };
        for record in &self.records {
            let value = Bytes::from(changed(&record.value));
            labels[record.label].set(&changed(&record.key), value)?;
        }
        Ok(())
    }
}

/// All records of the disk.
fn records(file: &RedbFile) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for (label, name) in LABELS.into_iter().enumerate() {
        let store = file.label(name);
        for key in store.keys()? {
            let value = store.get(&key)?.context("a key without a value")?;
            let value = String::from_utf8(value.into())?;
            records.push(Record { label, key, value });
        }
    }
    // The tag, what may be shown of two objects, where they came from, and the catalog.
    ensure!(records.len() >= 6, "only {} records", records.len());
    Ok(records)
}

fn is_large(number: u64) -> bool {
    number.is_multiple_of(LARGE_EACH)
}

fn size(number: u64) -> usize {
    if is_large(number) { LARGE } else { SMALL }
}

/// The repository and the tag of an image.
fn names(number: u64) -> (String, String) {
    let repository = format!("library/growth-{}", number / IMAGES);
    (repository, format!("v{}", number % IMAGES))
}

/// A manifest and a blob of `size` bytes each.
fn image(seed: u64, number: u64, size: usize) -> Image {
    let blob = sample::blob(seed ^ number, size);
    let manifest = |filler: usize| {
        json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": blob.digest,
                "size": blob.bytes.len(),
            },
            "layers": [],
            "annotations": { "filler": "x".repeat(filler) },
        })
        .to_string()
    };
    let bytes = manifest(size - manifest(0).len());
    Image {
        manifests: vec![Object::new(OCI_MANIFEST, bytes)],
        blobs: vec![blob],
        diff_ids: Vec::new(),
    }
}

/// Writes the image's objects where the store has them. Their digests.
fn put(blobs: &Path, image: &Image) -> Result<[Box<str>; 2]> {
    let objects = [image.root(), &image.blobs[0]];
    for object in objects {
        let hex = object.digest.trim_start_matches("sha256:");
        let path = blobs.join(&hex[..2]).join(hex);
        fs::write(&path, &object.bytes).with_context(|| path.display().to_string())?;
    }
    Ok(objects.map(|object| object.digest.as_str().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_has_its_size_and_none_is_there_twice() {
        let mut seen = std::collections::HashSet::new();
        for number in 0..2 * LARGE_EACH {
            let image = image(7, number, size(number));
            for object in [image.root(), &image.blobs[0]] {
                assert_eq!(object.bytes.len(), size(number), "{number}");
                assert!(seen.insert(object.digest.clone()), "{number}");
            }
        }
    }

    #[test]
    fn names_are_distinct() {
        let all: std::collections::HashSet<_> = (0..3 * IMAGES).map(names).collect();
        assert_eq!(all.len() as u64, 3 * IMAGES);
    }
}
