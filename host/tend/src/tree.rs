//! What an image consists of, as far as its manifests are stored.

use std::collections::HashSet;

use ledge_core::digest::Digest;
use ledge_core::manifest::{MAX_MANIFEST, Manifest};
use ledge_store::{BlobStore, StoreError};

/// Most objects of one image that are looked at. Indexes of some dozens of platforms with a hundred layers each stay
/// below; what is beyond counts as no part of the image.
const MOST: usize = 8192;

/// An object of an image.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) digest: Digest,
    /// Whether others refer to it as a manifest.
    pub(crate) is_manifest: bool,
    /// Its size in bytes; none if it is not stored.
    pub(crate) size: Option<u64>,
    /// Where in the tree those are that it lists itself; none if it is not stored, or no manifest.
    pub(crate) children: Vec<usize>,
}

/// An image's objects, each once, the root first.
#[derive(Clone, Debug)]
pub(crate) struct Tree(pub(crate) Vec<Node>);

impl Tree {
    /// Looks at a manifest, and at all that it lists.
    pub(crate) fn of(store: &BlobStore, root: &Digest) -> Result<Self, StoreError> {
        let mut tree = Self(vec![Node::new(store, root, true)?]);
        let mut known: std::collections::HashMap<Digest, usize> = [(root.clone(), 0)].into();
        let mut next = 0;
        while next < tree.0.len() {
            let node = &tree.0[next];
            let listed = match node.is_manifest {
                true => children(store, &node.digest)?,
                false => Vec::new(),
            };
            for (digest, is_manifest) in listed {
                let index = match known.get(&digest) {
                    Some(index) => *index,
                    None if tree.0.len() >= MOST => continue,
                    None => {
                        tree.0.push(Node::new(store, &digest, is_manifest)?);
                        known.insert(digest, tree.0.len() - 1);
                        tree.0.len() - 1
                    }
                };
                tree.0[next].children.push(index);
            }
            next += 1;
        }
        Ok(tree)
    }

    /// Its digests.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.0.iter().map(|node| &node.digest)
    }

    /// How many objects are stored, and how many bytes they have.
    pub(crate) fn stored(&self) -> (u64, u64) {
        let sizes = self.0.iter().filter_map(|node| node.size);
        sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size))
    }

    /// Adds its digests to others'.
    pub(crate) fn add_to(&self, all: &mut HashSet<Digest>) {
        all.extend(self.digests().cloned());
    }
}

impl Node {
    fn new(store: &BlobStore, digest: &Digest, is_manifest: bool) -> Result<Self, StoreError> {
        Ok(Self {
            digest: digest.clone(),
            is_manifest,
            size: store.size(digest)?,
            children: Vec::new(),
        })
    }
}

/// What a stored manifest lists, and which of those are manifests.
fn children(store: &BlobStore, digest: &Digest) -> Result<Vec<(Digest, bool)>, StoreError> {
    let Some(bytes) = manifest(store, digest)? else {
        return Ok(Vec::new());
    };
    // What nobody can read lists nothing.
    let parsed = Manifest::parse(&bytes).unwrap_or_default();
    let own = parsed.children.into_iter().filter(|child| !child.foreign);
    Ok(own
        .map(|child| (child.digest, child.manifest.is_some()))
        .collect())
}

/// The bytes of a manifest that is stored, and no larger than one may be.
pub(crate) fn manifest(store: &BlobStore, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
    // One that cannot be read is found by `fsck`.
    let Some(stored) = store.look(digest)? else {
        return Ok(None);
    };
    if stored.size() > u64::from(MAX_MANIFEST) {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(stored.size()).unwrap_or_default()];
    let mut filled = 0;
    while filled < bytes.len() {
        match stored.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) | Err(_) => return Ok(None),
            Ok(read) => filled += read,
        }
    }
    Ok(Some(bytes))
}
