//! What is asked for: a thousand small images, and blobs of three sizes, made by code.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tempfile::TempDir;

use crate::bench::sample;
use crate::http;
use crate::images::Object;
use crate::origin::Origin;

/// Which bytes, and in which order they are asked for.
pub(super) const SEED: u64 = 20_261_122;

/// How many images there are, each in a repository of its own.
const IMAGES: usize = 1000;

/// A manifest of so many layers has about what public images' have: 1.2 KiB.
const LAYERS: [usize; 5] = [64; 5];

/// How many repositories are asked for a tag that they lack.
const ABSENT: usize = 256;

/// The repository of the blobs.
const BLOBS: &str = "serve/blobs";

/// How many requests warm a server at once: as many as a client of a registry sends, twice.
const AT_ONCE: usize = 8;

/// What containerd accepts, shortened: distribution 2.8 has OCI manifests for those alone who ask for them.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, */*";

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Manifests by their tags.
    Tags,
    /// Manifests by their digests.
    Digests,
    /// Blobs of 1 KiB.
    Kibibyte,
    /// Blobs of 1 MiB.
    Mebibyte,
    /// Blobs of 100 MiB.
    Hundred,
    /// Manifests of tags that are not there.
    Absent,
}

/// All kinds, and what the files of their paths are called.
const KINDS: [(Asked, &str); 6] = [
    (Asked::Tags, "tags"),
    (Asked::Digests, "digests"),
    (Asked::Kibibyte, "kibibyte"),
    (Asked::Mebibyte, "mebibyte"),
    (Asked::Hundred, "hundred"),
    (Asked::Absent, "absent"),
];

/// The kinds of blobs: how many of how many bytes.
const SIZES: [(Asked, u64, usize); 3] = [
    (Asked::Kibibyte, 256, 1 << 10),
    (Asked::Mebibyte, 256, 1 << 20),
    (Asked::Hundred, 4, 100 << 20),
];

/// A request, and the body that must come; no body if nothing is there.
#[derive(Debug)]
struct Item {
    asked: Asked,
    path: String,
    bytes: Option<Bytes>,
}

/// Everything that is asked for.
#[derive(Debug)]
pub(super) struct Set {
    items: Vec<Item>,
    // A file of paths for each kind.
    folder: TempDir,
}

impl Set {
    /// Makes it, and puts it into these origins.
    ///
    /// # Errors
    /// If the files cannot be written.
    pub(super) fn put(origins: &[&Origin]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ledge-paths-").tempdir()?;
        let mut set = Self {
            items: Vec::new(),
            folder,
        };
        for number in 0..IMAGES {
            set.put_image(origins, number)?;
        }
        for (asked, count, size) in SIZES {
            for number in 0..count {
                let seed = SEED + ((asked as u64) << 32) + number;
                set.put_blob(origins, asked, &sample::blob(seed, size));
            }
        }
        for (asked, _) in KINDS {
            fs::write(set.file(asked), set.paths(asked).join("\n") + "\n")?;
        }
        Ok(set)
    }

    fn put_image(&mut self, origins: &[&Origin], number: usize) -> Result<()> {
        // Far enough from the next one's seeds.
        let image = sample::image(SEED + 16 * number as u64, &LAYERS)?;
        let repository = format!("serve/image-{number:04}");
        for origin in origins {
            origin.put(&repository, "v1", &image);
        }
        let root = image.root();
        let mut add = |asked, reference: &str, bytes| {
            self.items.push(Item {
                asked,
                path: format!("/v2/{repository}/manifests/{reference}"),
                bytes,
            });
        };
        add(Asked::Tags, "v1", Some(root.bytes.clone()));
        add(Asked::Digests, &root.digest, Some(root.bytes.clone()));
        if number < ABSENT {
            add(Asked::Absent, "absent", None);
        }
        Ok(())
    }

    fn put_blob(&mut self, origins: &[&Origin], asked: Asked, blob: &Object) {
        for origin in origins {
            origin.put_blob(BLOBS, blob);
        }
        self.items.push(Item {
            asked,
            path: format!("/v2/{BLOBS}/blobs/{}", blob.digest),
            bytes: Some(blob.bytes.clone()),
        });
    }

    /// The file that has the paths of a kind, a line each.
    pub(super) fn file(&self, asked: Asked) -> PathBuf {
        let name = KINDS.iter().find(|(kind, _)| *kind == asked);
        self.folder.path().join(name.map_or("", |(_, name)| name))
    }

    /// A file of `count` URLs of a kind, a line each, drawn at random; `server` is `http://HOST:PORT`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn drawn(&self, asked: Asked, server: &str, count: usize) -> Result<PathBuf> {
        let mut lines = String::new();
        for path in self.draw(asked, SEED, count) {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{server}{path}");
        }
        let file = self.folder.path().join("drawn");
        fs::write(&file, lines)?;
        Ok(file)
    }

    /// `count` paths of a kind, drawn at random.
    pub(super) fn draw(&self, asked: Asked, seed: u64, count: usize) -> Vec<&str> {
        let paths = self.paths(asked);
        let mut random = StdRng::seed_from_u64(seed);
        let mut one = || paths[random.random_range(0..paths.len())];
        (0..count).map(|_| one()).collect()
    }

    /// All paths of a kind.
    pub(super) fn paths(&self, asked: Asked) -> Vec<&str> {
        let of = self.items.iter().filter(|item| item.asked == asked);
        of.map(|item| item.path.as_str()).collect()
    }

    /// The paths of everything that is there.
    pub(super) fn present(&self) -> Vec<&str> {
        let present = self.items.iter().filter(|item| item.bytes.is_some());
        present.map(|item| item.path.as_str()).collect()
    }

    /// The bytes of the least and the largest body of a kind.
    pub(super) fn sizes(&self, asked: Asked) -> Option<(u64, u64)> {
        let of = self.items.iter().filter(|item| item.asked == asked);
        let sizes = of.filter_map(|item| Some(item.bytes.as_ref()?.len() as u64));
        sizes.fold(None, |span, size| {
            let (least, most) = span.unwrap_or((size, size));
            Some((least.min(size), most.max(size)))
        })
    }

    /// Asks a server for everything, and compares what comes: a benchmark of wrong answers would be none.
    ///
    /// # Errors
    /// If it answers wrongly.
    pub(super) async fn warm(&self, server: SocketAddr) -> Result<()> {
        let asked = self.items.iter().map(|item| item.compare(server));
        stream::iter(asked)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}

impl Item {
    async fn compare(&self, server: SocketAddr) -> Result<()> {
        let request = http::get(server, &self.path).header("accept", ACCEPT);
        let answer = request.fetch().await?;
        let right = match &self.bytes {
            Some(bytes) => answer.status == 200 && answer.body == bytes,
            None => answer.status == 404,
        };
        ensure!(right, "{} {}", self.path, answer.status);
        Ok(())
    }
}
