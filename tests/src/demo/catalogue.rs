//! What the demonstration's registry is filled with.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::images::{self, Image};
use crate::layers::{self, Compression, Layer};

/// Bytes of real files in the large image: about half of it is left after
/// compression, which the slow link carries in some twenty seconds.
const LARGE: u64 = 512 << 20;

/// Layers of the large image.
const LAYERS: usize = 6;

/// An image under its name.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) image: Image,
    pub(super) kind: Kind,
}

/// What a client does with it.
pub(super) enum Kind {
    /// Skopeo copies it.
    Image,
    /// It is found through its subject, by plain HTTP, as `oras discover` does.
    Artifact { subject: String },
}

impl Entry {
    pub(super) fn repository(&self) -> String {
        match self.kind {
            Kind::Image => format!("library/{}", self.name),
            // An artifact lives beside its subject.
            Kind::Artifact { .. } => "library/small".to_owned(),
        }
    }

    pub(super) fn tag(&self) -> &'static str {
        match self.kind {
            Kind::Image => "v1",
            Kind::Artifact { .. } => "bill-of-materials",
        }
    }

    pub(super) fn client_name(&self) -> &'static str {
        match self.kind {
            Kind::Image => "skopeo",
            Kind::Artifact { .. } => "plain HTTP",
        }
    }

    /// Of what a Linux/amd64 client pulls.
    pub(super) fn megabytes(&self) -> f64 {
        let layers = self.image.layers();
        let bytes: usize = self
            .image
            .blobs
            .iter()
            .filter(|blob| layers.contains(&blob.digest))
            .map(|blob| blob.bytes.len())
            .sum();
        bytes as f64 / 1e6
    }
}

/// Small, large, for several platforms, of Zstandard layers, and an artifact.
pub(super) fn make() -> Result<Vec<Entry>> {
    let files = layers::machine_files(
        &[Path::new("/usr/bin"), Path::new("/usr/lib"), &sysroot()],
        LARGE,
    );
    let (few, some) = (&files[..files.len().min(20)], &files[..files.len().min(60)]);
    let small = images::of(&[layers::real(few, Compression::Gzip)?])?;
    let artifact = images::artifact(
        small.root(),
        "application/spdx+json",
        "a list of what is in the image\n",
    );
    let subject = small.root().digest.clone();
    let large = images::of(&split(&files)?)?;
    let entry = |name, image| Entry {
        name,
        image,
        kind: Kind::Image,
    };
    Ok(vec![
        entry("small", small),
        entry("large", large),
        entry("platforms", images::index(2)?),
        entry(
            "zstd",
            images::of(&[layers::real(some, Compression::Zstd)?])?,
        ),
        Entry {
            name: "artifact",
            image: artifact,
            kind: Kind::Artifact { subject },
        },
    ])
}

/// An image that nobody pulled yet.
pub(super) fn burst() -> Result<Entry> {
    let image = images::layered(99, &[20 << 20, 20 << 20])?;
    Ok(Entry {
        name: "burst",
        image,
        kind: Kind::Image,
    })
}

/// Layers of equally many files, compressed side by side.
fn split(files: &[PathBuf]) -> Result<Vec<Layer>> {
    let chunks = files.chunks(files.len().div_ceil(LAYERS).max(1));
    std::thread::scope(|scope| {
        let workers: Vec<_> = chunks
            .map(|chunk| scope.spawn(move || layers::real(chunk, Compression::Gzip)))
            .collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Result<Layer>>| {
            worker
                .join()
                .unwrap_or_else(|_| anyhow::bail!("making a layer failed"))
        };
        workers.into_iter().map(join).collect()
    })
}

/// Where rustup keeps the toolchains: large files that every builder has.
fn sysroot() -> PathBuf {
    let home = std::env::var_os("HOME").unwrap_or_default();
    std::env::var_os("RUSTUP_HOME").map_or_else(|| Path::new(&home).join(".rustup"), PathBuf::from)
}
