//! What is recorded of an imported image: the same that a pull of it leaves in a public repository, and no more than is
//! known. An origin has not shown it; an operator says that it is so.

use std::time::SystemTime;

use ledge_core::digest::Digest;
use ledge_core::fact::{Fact, Place};
use ledge_core::image::Image;
use ledge_core::manifest::Manifest;
use ledge_core::media_type::MediaType;
use ledge_core::record::{Grant, Ground, PRESENT, TagRecord};
use ledge_core::reference::Reference;

use crate::error::TendError;
use crate::layout::{Described, Index};
use crate::list::seconds;
use crate::tend::{Label, Tend};
use crate::tree::{Node, Tree, manifest};

/// An image that is all there.
pub(crate) struct Restored<'a> {
    tend: &'a Tend,
    image: Image,
    place: Place,
    media_type: MediaType,
    is_private: bool,
    tree: Tree,
    /// Its stored parts that at least one platform needs.
    parts: Vec<(Digest, u64)>,
}

/// The images that a layout lists, if all of them may be recorded.
pub(crate) fn wanted<'a>(
    tend: &'a Tend,
    index: &Index,
    public: bool,
) -> Result<Vec<Restored<'a>>, TendError> {
    let images = index.manifests.iter();
    images
        .map(|described| Restored::of(tend, described, public))
        .collect()
}

impl<'a> Restored<'a> {
    fn of(tend: &'a Tend, described: &Described, public: bool) -> Result<Self, TendError> {
        let image = name(described)?;
        let unknown = || TendError::NoUpstream {
            image: image.to_string(),
            upstream: image.registry().to_owned(),
        };
        let upstream = tend.parts().upstreams.find(image.registry());
        let upstream = upstream.ok_or_else(unknown)?;
        if upstream.is_pass_through() {
            return Err(TendError::PassThrough(image.to_string()));
        }
        let is_private = upstream.is_private(image.repository());
        if is_private && !public {
            return Err(TendError::Private(image.to_string()));
        }
        let wrong = |what| TendError::Described {
            image: image.to_string(),
            what,
        };
        let digest = Digest::parse(&described.digest).map_err(|_| wrong("digest"))?;
        let media_type = MediaType::parse(&described.media_type)
            .filter(MediaType::is_manifest)
            .ok_or_else(|| wrong("mediaType"))?;
        if matches!(image.reference(), Reference::Digest(named) if *named != digest) {
            return Err(wrong("digest"));
        }
        let tree = Tree::of(tend.store(), &digest)?;
        let parts = tree.whole();
        if parts.is_empty() {
            return Err(TendError::Incomplete(image.to_string()));
        }
        if tree.0[0].size != Some(described.size) {
            return Err(wrong("size"));
        }
        let bytes = manifest(tend.store(), &digest)?.unwrap_or_default();
        if Manifest::parse(&bytes).is_err() {
            return Err(wrong("manifest"));
        }
        let place = Place {
            upstream: upstream.name().to_owned(),
            repository: image.repository().clone(),
        };
        Ok(Self {
            tend,
            image,
            place,
            media_type,
            is_private,
            tree,
            parts,
        })
    }

    /// Its whole name.
    pub(crate) fn name(&self) -> String {
        self.image.to_string()
    }

    /// What it consists of here.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.parts.iter().map(|(digest, _)| digest)
    }

    /// Records it: first what may be shown, then what the tag means.
    pub(crate) fn record(&self, now: SystemTime) -> Result<(), TendError> {
        for (index, node) in self.tree.0.iter().enumerate() {
            self.grant(node, index == 0)?;
        }
        if !self.is_private {
            self.tend
                .set(Label::Catalog, &self.place.to_string(), PRESENT)?;
        }
        if let Reference::Tag(tag) = self.image.reference() {
            let root = &self.tree.0[0];
            let record = TagRecord {
                digest: root.digest.clone(),
                media_type: self.media_type.clone(),
                size: root.size.unwrap_or_default(),
                checked_at: seconds(now),
                ask_at: 0,
            };
            let fact = Fact::Tag(self.place.clone(), tag.clone());
            self.tend
                .set(Label::Default, &fact.key(), &record.encode())?;
        }
        Ok(())
    }

    /// In a public repository, what is listed and came from the upstream may be shown. In a private one nothing is
    /// shown because it is listed; there the operator's word stands for the origin's, for what is here.
    fn grant(&self, node: &Node, is_root: bool) -> Result<(), TendError> {
        let is_stored = node.size.is_some();
        let fact = Fact::Grant(self.place.clone(), node.digest.clone());
        let known = self.tend.get(Label::Default, &fact.key())?;
        let known = known.and_then(|bytes| Grant::decode(&bytes));
        let media_type = match is_root {
            true => Some(self.media_type.clone()),
            false => node.media_type.clone(),
        };
        let is_shown = known
            .as_ref()
            .is_some_and(|known| known.ground == Ground::Shown);
        let ground = match is_shown || (self.is_private && is_stored) {
            true => Ground::Shown,
            false => Ground::Listed,
        };
        if self.is_private && !is_stored && node.platform.is_none() {
            return Ok(());
        }
        let grant = Grant {
            ground,
            media_type: media_type.or_else(|| known.as_ref()?.media_type.clone()),
            size: node.size.or_else(|| known.as_ref()?.size),
            platform: node.platform.clone().or_else(|| known?.platform),
        };
        self.tend
            .set(Label::Default, &fact.key(), &grant.encode())?;
        if is_stored && !self.is_private {
            let source = Fact::Source(self.place.upstream.clone(), node.digest.clone());
            self.tend.set(Label::Default, &source.key(), PRESENT)?;
        }
        Ok(())
    }
}

/// The name of an image, which must be whole: of `3.20` alone nobody knows where it is from.
fn name(described: &Described) -> Result<Image, TendError> {
    let name = described.name().unwrap_or_default();
    let wrong = || TendError::Name {
        name: name.to_owned(),
        digest: described.digest.clone(),
    };
    let image = Image::parse(name).map_err(|_| wrong())?;
    if image.to_string() == name {
        Ok(image)
    } else {
        Err(wrong())
    }
}
