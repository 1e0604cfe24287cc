//! What an image consists of, found by reading its manifests.

use std::collections::HashSet;

use futures::future::join_all;
use ledge_core::digest::Digest;
use ledge_core::manifest::{Manifest, ManifestError};
use ledge_core::media_type::OCI_INDEX;
use ledge_core::reference::Reference;

use crate::client::Got;
use crate::failure::Failure;
use crate::index::{self, Entry};
use crate::platform::{Platform, Platforms};

/// Most manifests of one image. The largest indexes of Docker Hub's official images list some
/// thirty, with their attestations.
pub(crate) const MAX_MANIFESTS: usize = 256;

/// What Docker calls an index.
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A config or a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    /// What the manifest says; old ones say nothing.
    pub(crate) size: Option<u64>,
}

/// A manifest that was read: its length, and whether the mirror had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) bytes: u64,
    pub(crate) hit: bool,
}

/// What an image consists of, everything once.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) digest: Digest,
    pub(crate) manifests: Vec<Read>,
    pub(crate) blobs: Vec<Blob>,
    /// The chosen platforms, as its indexes list them.
    pub(crate) platforms: Vec<Platform>,
    /// That a wanted platform is not there.
    pub(crate) lacks: Option<Failure>,
}

/// Reads an image's manifests: all of them that the platforms need, those of one index at once.
///
/// # Errors
/// A manifest cannot be had or read.
pub(crate) async fn contents<G>(
    root: &Reference,
    platforms: &Platforms,
    get: G,
) -> Result<Contents, Failure>
where
    G: AsyncFn(&Reference) -> Result<Got, Failure>,
{
    let fetch = async |reference: Reference| Document::read(get(&reference).await?, &reference);
    let root = fetch(root.clone()).await?;
    let digest = root.digest.clone();
    let mut survey = Survey::new(platforms);
    let mut level = vec![root];
    while !level.is_empty() {
        let mut next = Vec::new();
        for document in level {
            next.extend(survey.take(document));
        }
        if survey.manifests.len() + next.len() > MAX_MANIFESTS {
            return Err(Failure::TooMany);
        }
        let read = join_all(next.into_iter().map(Reference::Digest).map(&fetch)).await;
        level = read.into_iter().collect::<Result<_, _>>()?;
    }
    Ok(survey.finish(digest))
}

/// A manifest, of which its bytes are not needed any more.
struct Document {
    digest: Digest,
    read: Read,
    kind: Kind,
}

enum Kind {
    Index(Vec<Entry>),
    Image(Vec<Blob>),
}

impl Document {
    fn read(got: Got, reference: &Reference) -> Result<Self, Failure> {
        let kind = Kind::read(&got.bytes).map_err(|_| Failure::NoManifest {
            asked: format!("manifest {reference}"),
        })?;
        Ok(Self {
            digest: got.digest,
            read: Read {
                bytes: got.bytes.len() as u64,
                hit: got.hit,
            },
            kind,
        })
    }
}

impl Kind {
    fn read(json: &[u8]) -> Result<Self, ManifestError> {
        let manifest = Manifest::parse(json)?;
        let called_index = manifest
            .media_type
            .as_ref()
            .is_some_and(|kind| matches!(kind.as_str(), OCI_INDEX | DOCKER_LIST));
        match index::entries(json)? {
            Some(entries) if called_index || !entries.is_empty() => Ok(Self::Index(entries)),
            _ if called_index || manifest.children.is_empty() => Err(ManifestError),
            _ => Ok(Self::Image(blobs(manifest))),
        }
    }
}

/// What is elsewhere (`urls`) a mirror need not have.
fn blobs(manifest: Manifest) -> Vec<Blob> {
    let here = manifest.children.into_iter().filter(|child| !child.foreign);
    here.map(|child| Blob {
        digest: child.digest,
        size: child.size,
    })
    .collect()
}

/// What was learned so far.
struct Survey<'a> {
    wanted: &'a Platforms,
    manifests: Vec<Read>,
    blobs: Vec<Blob>,
    known: HashSet<Digest>,
    chosen: Vec<Platform>,
    listed: Vec<Platform>,
    met: Vec<Platform>,
    /// Whether an image is there whose platform nothing tells: it may be the one.
    untold: bool,
}

impl<'a> Survey<'a> {
    fn new(wanted: &'a Platforms) -> Self {
        Self {
            wanted,
            manifests: Vec::new(),
            blobs: Vec::new(),
            known: HashSet::new(),
            chosen: Vec::new(),
            listed: Vec::new(),
            met: Vec::new(),
            untold: false,
        }
    }

    /// Takes a manifest in; gives the digests of those to read next.
    fn take(&mut self, document: Document) -> Vec<Digest> {
        self.known.insert(document.digest.clone());
        self.manifests.push(document.read);
        match document.kind {
            Kind::Index(entries) => self.choose(entries),
            Kind::Image(blobs) => {
                for blob in blobs {
                    if self.known.insert(blob.digest.clone()) {
                        self.blobs.push(blob);
                    }
                }
                Vec::new()
            }
        }
    }

    /// An entry without platform is read whatever is wanted: it may be an index.
    fn choose(&mut self, entries: Vec<Entry>) -> Vec<Digest> {
        let platforms: Vec<_> = entries
            .iter()
            .map(|entry| entry.platform.as_ref())
            .collect();
        let (places, lacking) = self.wanted.choose(&platforms);
        self.listed.extend(platforms.into_iter().flatten().cloned());
        if let Platforms::These(wanted) = self.wanted {
            let met = wanted.iter().filter(|wanted| !lacking.contains(wanted));
            self.met.extend(met.cloned());
        }
        let mut next = Vec::new();
        for (place, entry) in entries.into_iter().enumerate() {
            self.untold |= entry.platform.is_none();
            let wanted = entry.platform.is_none() || places.contains(&place);
            if wanted && self.known.insert(entry.digest.clone()) {
                self.chosen.extend(entry.platform);
                next.push(entry.digest);
            }
        }
        next
    }

    fn finish(self, digest: Digest) -> Contents {
        let lacks = self.lacks();
        Contents {
            digest,
            manifests: self.manifests,
            blobs: self.blobs,
            platforms: self.chosen,
            lacks,
        }
    }

    /// An image without index is of the platform that it is of.
    fn lacks(&self) -> Option<Failure> {
        let Platforms::These(wanted) = self.wanted else {
            return None;
        };
        let lacking: Vec<_> = wanted
            .iter()
            .filter(|wanted| !self.met.contains(wanted))
            .collect();
        if lacking.is_empty() || self.untold || self.listed.is_empty() {
            return None;
        }
        Some(Failure::Lacks {
            lacking: joined(lacking),
            listed: joined(&self.listed),
        })
    }
}

/// Platforms with commas between.
pub(crate) fn joined<'p>(platforms: impl IntoIterator<Item = &'p Platform>) -> String {
    let texts: Vec<String> = platforms.into_iter().map(Platform::to_string).collect();
    texts.join(", ")
}
