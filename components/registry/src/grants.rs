//! Which repository may show which digest.
//!
//! The blob store is one for all; what may be shown is said here. A public
//! upstream's manifests vouch for what they list, as far as the bytes came from
//! that upstream. A private upstream's vouch for nothing: there every digest has
//! to be shown by the origin in the very repository.

use crate::ask::Ask;
use crate::bindings::ledge::edge::blobs;
use crate::fetch::Head;
use crate::records::{self, Label};
use ledge_core::digest::Digest;
use ledge_core::key;
use ledge_core::manifest::Child;
use ledge_core::record::{Grant, Ground};

/// What is known of a repository's right to show a digest.
pub(crate) async fn known(ask: &Ask<'_>, digest: &Digest) -> Option<Grant> {
    let key = key::grant(ask.upstream, &ask.repository, digest);
    Grant::decode(&records::get(Label::Default, &key).await?)
}

/// Whether a grant is enough to show the stored bytes.
pub(crate) async fn suffices(ask: &Ask<'_>, digest: &Digest, grant: &Grant) -> bool {
    match grant.ground {
        Ground::Shown => true,
        Ground::Listed => {
            !ask.is_private()
                && records::exists(Label::Default, &key::source(ask.upstream, digest)).await
        }
    }
}

/// The origin has shown a digest in this repository.
pub(crate) async fn shown(ask: &Ask<'_>, digest: &Digest, head: &Head) {
    let listed = known(ask, digest).await;
    let grant = Grant {
        ground: Ground::Shown,
        media_type: head.media_type.clone().filter(|m| !m.is_generic()),
        size: head.size,
        platform: listed.and_then(|listed| listed.platform),
    };
    let key = key::grant(ask.upstream, &ask.repository, digest);
    records::set(Label::Default, &key, &grant.encode()).await;
}

/// A digest's bytes came from this upstream.
pub(crate) async fn came(ask: &Ask<'_>, digest: &Digest) {
    if !ask.is_private() {
        records::mark(Label::Default, &key::source(ask.upstream, digest)).await;
    }
}

/// A manifest that the origin has shown in this repository lists these. In a private
/// repository that grants nothing; but what a child is made for is known from then on.
pub(crate) async fn listed(ask: &Ask<'_>, children: &[Child]) {
    let is_private = ask.is_private();
    let of_use = |child: &&Child| !child.foreign && (!is_private || child.platform.is_some());
    for child in children.iter().filter(of_use) {
        let grant = match known(ask, &child.digest).await {
            Some(grant) if grant.platform.is_some() || child.platform.is_none() => continue,
            Some(grant) => Grant {
                platform: child.platform.clone(),
                ..grant
            },
            None => Grant {
                ground: Ground::Listed,
                media_type: child.manifest.clone(),
                size: child.size,
                platform: child.platform.clone(),
            },
        };
        let key = key::grant(ask.upstream, &ask.repository, &child.digest);
        records::set(Label::Default, &key, &grant.encode()).await;
    }
}

/// A repository was served: a public one is listed in the catalog.
pub(crate) async fn served(ask: &Ask<'_>) {
    if !ask.is_private() {
        records::mark(Label::Catalog, &key::catalog(ask.upstream, &ask.repository)).await;
    }
}

/// Whether a digest's bytes are stored. A store that fails has nothing.
pub(crate) async fn stored(digest: &Digest) -> bool {
    let found = blobs::stat(digest.to_string()).await;
    found
        .inspect_err(|error| eprintln!("the store failed: {error}"))
        .is_ok_and(|found| found.is_some())
}
