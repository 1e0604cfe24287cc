//! Images that nothing can compress, made by code, and what a client asks for to pull one.

use anyhow::Result;
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

use crate::digest;
use crate::images::{self, Image, Object};
use crate::layers::{Compression, Layer};
use crate::origin::Origin;

/// The repository that every benchmark of the miss path pulls.
pub const REPOSITORY: &str = "library/bench";

/// The tag of its images.
const TAG: &str = "v1";

/// Random bytes.
#[must_use]
pub fn noise(seed: u64, size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes.into()
}

/// A blob of random bytes.
#[must_use]
pub fn blob(seed: u64, size: usize) -> Object {
    Object::new("application/octet-stream", noise(seed, size))
}

/// An image whose layers have these sizes. They are no archives: nobody unpacks them here.
///
/// # Errors
/// Those of `images::of`.
pub fn image(seed: u64, sizes: &[usize]) -> Result<Image> {
    let layer = |(seed, size): (u64, &usize)| {
        let bytes = noise(seed, *size);
        Layer {
            diff_id: digest::of(&bytes),
            compression: Compression::Zstd,
            bytes,
        }
    };
    let layers: Vec<Layer> = (seed..).zip(sizes).map(layer).collect();
    images::of(&layers)
}

/// `total` bytes in layers of unequal shares, as real images have them: one large, several small.
#[must_use]
pub fn shares(total: usize, percents: &[usize]) -> Vec<usize> {
    let mut sizes: Vec<usize> = percents
        .iter()
        .map(|percent| total / 100 * percent)
        .collect();
    let rest = total - sizes.iter().sum::<usize>();
    if let Some(first) = sizes.first_mut() {
        *first += rest;
    }
    sizes
}

/// The path of a blob.
#[must_use]
pub fn blob_path(digest: &str) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

/// Bytes, and the path that they are asked for by.
#[derive(Debug, Clone)]
pub struct Item {
    /// `/v2/…`
    pub path: String,
    /// What must come.
    pub bytes: Bytes,
}

impl Item {
    /// A blob.
    #[must_use]
    pub fn blob(object: &Object) -> Self {
        Self {
            path: blob_path(&object.digest),
            bytes: object.bytes.clone(),
        }
    }
}

/// What a client asks for to pull an image: the manifest by its tag, the configuration, the layers.
#[derive(Debug, Clone)]
pub struct Wants {
    /// The manifest by its tag, and the configuration.
    pub first: [Item; 2],
    /// In the manifest's order.
    pub layers: Vec<Item>,
    /// The bytes of all of them.
    pub size: u64,
}

impl Wants {
    /// Puts an image into the origin, and says how to pull it.
    ///
    /// # Errors
    /// If the image has no blobs.
    pub fn put(origin: &Origin, image: &Image) -> Result<Self> {
        origin.put(REPOSITORY, TAG, image);
        let manifest = Item {
            path: format!("/v2/{REPOSITORY}/manifests/{TAG}"),
            bytes: image.root().bytes.clone(),
        };
        // `images::of` puts the configuration last.
        let (config, layers) = image
            .blobs
            .split_last()
            .ok_or_else(|| anyhow::anyhow!("an image without blobs"))?;
        Ok(Self {
            first: [manifest, Item::blob(config)],
            layers: layers.iter().map(Item::blob).collect(),
            size: image.size(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn shares_are_the_whole() {
        assert_eq!(shares(1000, &[60, 30, 10]), [600, 300, 100]);
        let odd = shares(12_345, &[40, 25, 15, 10, 7, 3]);
        assert_eq!(odd.iter().sum::<usize>(), 12_345);
        assert!(odd.windows(2).all(|pair| pair[0] > pair[1]), "{odd:?}");
    }
}
