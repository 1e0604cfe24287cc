//! Layers: tar archives of real or random files, compressed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bytes::Bytes;
use flate2::write::GzEncoder;
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use tar::{Builder, Header};

use crate::digest::{self, Hasher};
use crate::files;

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `application/vnd.oci.image.layer.v1.tar+gzip`
    Gzip,
    /// `application/vnd.oci.image.layer.v1.tar+zstd`
    Zstd,
}

/// A compressed layer and the digest of what is in it.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The compressed archive.
    pub bytes: Bytes,
    /// How it is compressed.
    pub compression: Compression,
    /// The digest of the archive before compression.
    pub diff_id: String,
}

impl Layer {
    /// The digest of the compressed archive.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::of(&self.bytes)
    }
}

/// A layer of about `size` bytes: half random, half compressible, from a seed.
///
/// # Errors
/// If compression fails.
pub fn random(seed: u64, size: usize, compression: Compression) -> Result<Layer> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut noise = vec![0; size / 2];
    rng.fill_bytes(&mut noise);
    let text = format!("line {} of a file\n", rng.random::<u32>()).repeat(size / 2 / 16 + 1);
    let mut archive = Archive::new(compression)?;
    archive.add(&format!("data/noise-{seed}"), &noise)?;
    archive.add(&format!("data/text-{seed}"), text.as_bytes())?;
    archive.finish()
}

/// A layer of real files.
///
/// # Errors
/// If a file cannot be read.
pub fn real(paths: &[PathBuf], compression: Compression) -> Result<Layer> {
    let mut archive = Archive::new(compression)?;
    for path in paths {
        let content = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        archive.add(&relative(path), &content)?;
    }
    archive.finish()
}

/// Readable files of the machine, each under 64 MiB, `total` bytes of them or
/// all there are; the same on every call, and different for other folders.
#[must_use]
pub fn machine_files(folders: &[&Path], total: u64) -> Vec<PathBuf> {
    let mut sum = 0;
    let mut chosen = Vec::new();
    for path in folders.iter().flat_map(|folder| files::under(folder)) {
        let Ok(length) = fs::metadata(&path).map(|data| data.len()) else {
            continue;
        };
        // Names beyond 100 bytes need extensions of tar that say nothing here.
        if sum >= total || length == 0 || length > 64 << 20 || relative(&path).len() > 100 {
            continue;
        }
        sum += length;
        chosen.push(path);
    }
    chosen
}

fn relative(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

/// An archive that is compressed and hashed while it is written.
struct Archive {
    tar: Builder<Compressor>,
    compression: Compression,
}

/// Hashes what goes in, compresses what comes out.
struct Compressor {
    hasher: Hasher,
    encoder: Encoder,
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::Encoder<'static, Vec<u8>>),
}

impl Archive {
    fn new(compression: Compression) -> Result<Self> {
        // The quickest levels: the tests want bytes, not small ones.
        let encoder = match compression {
            Compression::Gzip => {
                Encoder::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::fast()))
            }
            Compression::Zstd => Encoder::Zstd(zstd::Encoder::new(Vec::new(), 1)?),
        };
        Ok(Self {
            tar: Builder::new(Compressor {
                hasher: Hasher::default(),
                encoder,
            }),
            compression,
        })
    }

    fn add(&mut self, path: &str, content: &[u8]) -> Result<()> {
        let mut header = Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_cksum();
        self.tar
            .append_data(&mut header, path, content)
            .with_context(|| format!("adding {path}"))
    }

    fn finish(self) -> Result<Layer> {
        let compressor = self.tar.into_inner()?;
        let bytes = match compressor.encoder {
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Zstd(encoder) => encoder.finish()?,
        };
        Ok(Layer {
            bytes: bytes.into(),
            compression: self.compression,
            diff_id: compressor.hasher.finish(),
        })
    }
}

impl Write for Compressor {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = match &mut self.encoder {
            Encoder::Gzip(encoder) => encoder.write(bytes)?,
            Encoder::Zstd(encoder) => encoder.write(bytes)?,
        };
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.encoder {
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_layer_again_and_another_seed_another() -> Result<()> {
        let first = random(1, 10_000, Compression::Zstd)?;
        assert_eq!(
            first.digest(),
            random(1, 10_000, Compression::Zstd)?.digest()
        );
        assert_ne!(
            first.digest(),
            random(2, 10_000, Compression::Zstd)?.digest()
        );
        Ok(())
    }

    #[test]
    fn both_compressions_hold_the_same_archive() -> Result<()> {
        let gzip = random(3, 5_000, Compression::Gzip)?;
        let zstd = random(3, 5_000, Compression::Zstd)?;
        assert_eq!(gzip.diff_id, zstd.diff_id);
        assert_eq!(
            digest::of(&zstd::decode_all(&zstd.bytes[..])?),
            zstd.diff_id
        );
        Ok(())
    }
}
