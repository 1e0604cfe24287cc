//! The images of a repository: what its tags mean, and what was asked for by digest alone.

use std::collections::HashSet;
use std::time::SystemTime;

use ledge_core::digest::Digest;
use ledge_core::fact::Place;
use ledge_core::media_type::MediaType;
use ledge_core::name::Tag;
use ledge_core::reference::Reference;
use ledge_store::{BlobStore, Class, StoreError};

use crate::repository::Repository;
use crate::select::is_called;
use crate::tree::Tree;

/// An image of a repository.
#[derive(Debug)]
pub(crate) struct Found {
    /// None of one that is known by its digest alone.
    pub(crate) tag: Option<Tag>,
    pub(crate) root: Digest,
    pub(crate) media_type: MediaType,
    /// When the origin last said what the tag means, in seconds since the epoch.
    pub(crate) checked_at: Option<u64>,
    /// When it was last used, if anybody knows.
    pub(crate) used: Option<SystemTime>,
    /// Whether an operator wants its manifest kept.
    pub(crate) is_pinned: bool,
    pub(crate) tree: Tree,
}

impl Found {
    /// The whole name.
    pub(crate) fn name(&self, place: &Place) -> String {
        match &self.tag {
            Some(tag) => format!("{place}:{tag}"),
            None => format!("{place}@{}", self.root),
        }
    }

    /// Whether it is meant by a tag or a digest.
    pub(crate) fn is_called(&self, reference: &Reference) -> bool {
        is_called(reference, self.tag.as_ref().map(Tag::as_str), &self.root)
    }
}

impl Repository {
    /// Its images: first those with a tag, in the order of their tags; then manifests that are stored and that
    /// none of those consists of, indexes before what they list.
    pub(crate) fn images(&self, store: &BlobStore) -> Result<Vec<Found>, StoreError> {
        let mut images = Vec::new();
        let mut covered = HashSet::new();
        for tagged in &self.tags {
            let tree = Tree::of(store, &tagged.record.digest)?;
            tree.add_to(&mut covered);
            let mut found = found(
                store,
                &tagged.record.digest,
                &tagged.record.media_type,
                tree,
            );
            found.tag = Some(tagged.tag.clone());
            found.checked_at = Some(tagged.record.checked_at);
            found.used = found.used.or(tagged.used);
            images.push(found);
        }
        for is_index in [true, false] {
            for granted in &self.grants {
                let media_type = granted.grant.media_type.as_ref();
                let Some(media_type) = media_type.filter(|kind| is_index != kind.is_image()) else {
                    continue;
                };
                let is_new = !covered.contains(&granted.digest);
                if is_new && store.size(&granted.digest)?.is_some() {
                    let tree = Tree::of(store, &granted.digest)?;
                    tree.add_to(&mut covered);
                    let mut found = found(store, &granted.digest, media_type, tree);
                    found.used = found.used.or(granted.used);
                    images.push(found);
                }
            }
        }
        Ok(images)
    }
}

fn found(store: &BlobStore, root: &Digest, media_type: &MediaType, tree: Tree) -> Found {
    let about = store.about(root);
    Found {
        tag: None,
        root: root.clone(),
        media_type: media_type.clone(),
        checked_at: None,
        used: about.as_ref().map(|about| about.used),
        is_pinned: about.is_some_and(|about| about.keeping.class == Class::Pinned),
        tree,
    }
}
