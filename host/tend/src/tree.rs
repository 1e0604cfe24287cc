//! What an image consists of, as far as its manifests are stored.

use std::collections::{HashMap, HashSet};

use ledge_core::digest::Digest;
use ledge_core::manifest::{Child, MAX_MANIFEST, Manifest};
use ledge_core::media_type::MediaType;
use ledge_core::platform::Platform;
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
    /// As what, if it is not the root.
    pub(crate) media_type: Option<MediaType>,
    /// What it is made for, if an index says so.
    pub(crate) platform: Option<Platform>,
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
        let mut tree = Self(vec![Node::root(store, root)?]);
        let mut known: HashMap<Digest, usize> = [(root.clone(), 0)].into();
        let mut next = 0;
        while next < tree.0.len() {
            let node = &tree.0[next];
            let listed = match node.is_manifest {
                true => children(store, &node.digest)?,
                false => Vec::new(),
            };
            for child in listed {
                let index = match known.get(&child.digest) {
                    Some(index) => *index,
                    None if tree.0.len() >= MOST => continue,
                    None => {
                        known.insert(child.digest.clone(), tree.0.len());
                        tree.0.push(Node::listed(store, child)?);
                        tree.0.len() - 1
                    }
                };
                tree.0[next].children.push(index);
            }
            next += 1;
        }
        Ok(tree)
    }

    /// The parts that are stored, with their sizes: those that some platform needs of which all are. None if there is
    /// no such platform.
    pub(crate) fn whole(&self) -> Vec<(Digest, u64)> {
        let whole = self.whole_nodes();
        if !whole[0] {
            return Vec::new();
        }
        let (mut reached, mut ahead) = (vec![false; self.0.len()], vec![0]);
        while let Some(index) = ahead.pop() {
            if whole[index] && !std::mem::replace(&mut reached[index], true) {
                ahead.extend(&self.0[index].children);
            }
        }
        let reached = self.0.iter().zip(reached).filter(|(_, reached)| *reached);
        reached
            .filter_map(|(node, _)| Some((node.digest.clone(), node.size?)))
            .collect()
    }

    /// Which nodes are all there: blobs that are stored; manifests with all their blobs, and with one of the manifests that
    /// they list, if they list any.
    fn whole_nodes(&self) -> Vec<bool> {
        let mut whole = vec![false; self.0.len()];
        // A child may stand before who lists it. No manifest lists itself, so this ends; each round is another depth.
        loop {
            let mut is_changed = false;
            for (index, node) in self.0.iter().enumerate().rev() {
                let (manifests, blobs): (Vec<usize>, Vec<usize>) = node
                    .children
                    .iter()
                    .partition(|child| self.0[**child].is_manifest);
                let is_whole = node.size.is_some()
                    && blobs.iter().all(|child| whole[*child])
                    && (manifests.is_empty() || manifests.iter().any(|child| whole[*child]));
                if is_whole && !whole[index] {
                    whole[index] = true;
                    is_changed = true;
                }
            }
            if !is_changed {
                return whole;
            }
        }
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
    fn root(store: &BlobStore, digest: &Digest) -> Result<Self, StoreError> {
        Ok(Self {
            digest: digest.clone(),
            is_manifest: true,
            media_type: None,
            platform: None,
            size: store.size(digest)?,
            children: Vec::new(),
        })
    }

    fn listed(store: &BlobStore, child: Child) -> Result<Self, StoreError> {
        Ok(Self {
            size: store.size(&child.digest)?,
            digest: child.digest,
            is_manifest: child.manifest.is_some(),
            media_type: child.manifest,
            platform: child.platform,
            children: Vec::new(),
        })
    }
}

/// What a stored manifest lists.
fn children(store: &BlobStore, digest: &Digest) -> Result<Vec<Child>, StoreError> {
    let Some(bytes) = manifest(store, digest)? else {
        return Ok(Vec::new());
    };
    // What nobody can read lists nothing.
    let parsed = Manifest::parse(&bytes).unwrap_or_default();
    let own = parsed.children.into_iter().filter(|child| !child.foreign);
    Ok(own.collect())
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
