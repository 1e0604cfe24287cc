//! Asking an origin for an object's header, and fetching manifests whole.

use crate::ask::Ask;
use crate::bindings::ledge::edge::blobs::{self, Class, Descriptor, Ingested, Keeping, Source};
use crate::failure::{Failure, origin_failed, refused, value_of};
use crate::grants;
use crate::origin::{Question, accept, missing};
use ledge_core::digest::Digest;
use ledge_core::error::ApiError;
use ledge_core::manifest::{MAX_MANIFEST, Manifest};
use ledge_core::media_type::{MediaType, OCI_MANIFEST};
use ledge_core::reference::Reference;
use ledge_core::ticket::Object;
use ledge_core::via;

/// How manifests are kept: rather than blobs, because each of them is small and
/// needed by every pull.
const MANIFESTS: Keeping = Keeping {
    class: Class::Cached,
    priority: 192,
};

/// How blobs are kept: as usual.
pub(crate) const BLOBS: Keeping = Keeping {
    class: Class::Cached,
    priority: 128,
};

/// What an origin says of an object without sending it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) digest: Option<Digest>,
    pub(crate) media_type: Option<MediaType>,
    pub(crate) size: Option<u64>,
    /// How old that is, in seconds: other than 0 where a cache says so.
    pub(crate) age: u64,
}

/// Asks the origin for an object's header.
///
/// # Errors
/// The origin could not be asked, or does not show the object.
pub(crate) async fn head(ask: &Ask<'_>, object: &Object) -> Result<Head, ApiError> {
    match try_head(ask, object).await? {
        Ok(head) => Ok(head),
        Err(status) => Err(refused(ask.upstream.name(), status, missing(object))),
    }
}

/// Asks the origin for an object's header. Where it answers with something else,
/// that is its status.
///
/// # Errors
/// The origin could not be asked.
pub(crate) async fn try_head(
    ask: &Ask<'_>,
    object: &Object,
) -> Result<Result<Head, u16>, ApiError> {
    let path = object.path(&ask.repository);
    let question = Question {
        head: true,
        path: &path,
        accept: accept(object),
    };
    let reply = ask.in_time(ask.origin().ask(&question)).await?;
    if reply.status != 200 {
        return Ok(Err(reply.status));
    }
    let length = reply
        .value("content-length")
        .filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
    Ok(Ok(Head {
        digest: reply
            .value("docker-content-digest")
            .and_then(|d| Digest::parse(&d).ok()),
        media_type: reply
            .value("content-type")
            .and_then(|m| MediaType::parse(&m)),
        size: length.and_then(|n| n.parse().ok()),
        age: via::age(reply.value("age").as_deref()),
    }))
}

/// A manifest that was fetched and stored.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) digest: Digest,
    pub(crate) media_type: MediaType,
    pub(crate) size: u64,
    /// How old its being meant is, in seconds: other than 0 where a cache says so.
    pub(crate) age: u64,
}

/// Fetches a manifest, stores it, and learns what it lists. The digest that the
/// host computed is the truth, whatever the origin says.
///
/// # Errors
/// The origin could not be asked, does not show the manifest, or sent something else.
pub(crate) async fn manifest(ask: &Ask<'_>, reference: &Reference) -> Result<Fetched, ApiError> {
    let object = Object::Manifest(reference.clone());
    let want = match reference {
        Reference::Tag(_) => None,
        Reference::Digest(digest) => Some(descriptor(digest)),
    };
    let run =
        async |source: Source| blobs::ingest(want.clone(), source, MAX_MANIFEST, MANIFESTS).await;
    let ingested = ask.in_time(ask.origin().transfer(&object, run)).await;
    let ingested = ingested.map_err(|failure: Failure| failure.error)?;
    // The bytes were there already, or at another node: then the origin was not asked whether
    // this repository may show them.
    if ingested.origin_fields.is_empty() && !is_granted(ask, &ingested.what).await {
        head(ask, &object).await?;
    }
    learn(ask, &ingested).await
}

async fn is_granted(ask: &Ask<'_>, what: &Descriptor) -> bool {
    let Ok(digest) = Digest::parse(&what.digest) else {
        return false;
    };
    match grants::known(ask, &digest).await {
        Some(grant) => grants::suffices(ask, &digest, &grant).await,
        None => false,
    }
}

async fn learn(ask: &Ask<'_>, ingested: &Ingested) -> Result<Fetched, ApiError> {
    let upstream = ask.upstream.name();
    let failed = |what: &str| origin_failed(upstream, what);
    let digest = Digest::parse(&ingested.what.digest)
        .map_err(|_| failed("sent a manifest with a digest of no known kind"))?;
    warn_of_false_digest(upstream, ingested);
    let bytes = blobs::read(digest.to_string(), MAX_MANIFEST).await;
    let bytes = bytes
        .ok()
        .flatten()
        .ok_or_else(|| failed("sent a manifest that could not be kept"))?;
    let parsed = Manifest::parse(&bytes).ok();
    let said = ingested
        .what
        .media_type
        .as_deref()
        .and_then(MediaType::parse);
    let media_type = media_type(said, parsed.as_ref())
        .ok_or_else(|| failed("sent something that is no manifest"))?;
    let fetched = Fetched {
        digest,
        media_type,
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        age: via::age(value_of(&ingested.origin_fields, "age").as_deref()),
    };
    remember(ask, &fetched, parsed.as_ref()).await;
    Ok(fetched)
}

/// What the origin said, unless that says nothing; then what the manifest says of
/// itself. `None` if the bytes are no manifest and nobody says that they are.
fn media_type(said: Option<MediaType>, parsed: Option<&Manifest>) -> Option<MediaType> {
    let said = said.filter(|m| !m.is_generic());
    match parsed {
        Some(manifest) => {
            let own = || manifest.media_type.clone();
            said.or_else(own).or_else(|| MediaType::parse(OCI_MANIFEST))
        }
        None => said.filter(MediaType::is_manifest),
    }
}

async fn remember(ask: &Ask<'_>, fetched: &Fetched, manifest: Option<&Manifest>) {
    let head = Head {
        media_type: Some(fetched.media_type.clone()),
        size: Some(fetched.size),
        ..Head::default()
    };
    grants::shown(ask, &fetched.digest, &head).await;
    grants::came(ask, &fetched.digest).await;
    grants::served(ask).await;
    let Some(manifest) = manifest else { return };
    grants::listed(ask, &manifest.children).await;
    let children = manifest.children.iter().filter(|child| !child.foreign);
    let children = children.map(|child| child.digest.to_string()).collect();
    match blobs::refer(fetched.digest.to_string(), children).await {
        Ok(()) | Err(blobs::Error::Unsupported) => {}
        Err(error) => eprintln!(
            "the store could not note what {} needs: {error}",
            fetched.digest
        ),
    }
}

fn warn_of_false_digest(upstream: &str, ingested: &Ingested) {
    let said = value_of(&ingested.origin_fields, "docker-content-digest");
    if let Some(said) = said.filter(|said| *said != ingested.what.digest) {
        eprintln!(
            "upstream {upstream} called {} by the false digest {said:?}",
            ingested.what.digest
        );
    }
}

/// What is wanted, when only the digest is known.
pub(crate) fn descriptor(digest: &Digest) -> Descriptor {
    Descriptor {
        digest: digest.to_string(),
        size: None,
        media_type: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_media_type() {
        let parsed = |json: &str| Manifest::parse(json.as_bytes()).ok();
        let rows = [
            (
                Some("application/vnd.oci.image.index.v1+json"),
                parsed("{}"),
                Some("application/vnd.oci.image.index.v1+json"),
            ),
            (
                Some("application/vnd.own+json"),
                parsed("{}"),
                Some("application/vnd.own+json"),
            ),
            (
                Some("application/json"),
                parsed(r#"{"manifests":[{}]}"#),
                Some("application/vnd.oci.image.index.v1+json"),
            ),
            (
                Some("text/plain"),
                parsed(r#"{"mediaType":"a/b"}"#),
                Some("a/b"),
            ),
            (
                None,
                parsed("{}"),
                Some("application/vnd.oci.image.manifest.v1+json"),
            ),
            (Some("text/html"), None, None),
            (Some("application/vnd.own+json"), None, None),
            (
                Some("application/vnd.oci.image.manifest.v1+json"),
                None,
                Some("application/vnd.oci.image.manifest.v1+json"),
            ),
            (None, None, None),
        ];
        for (said, manifest, expected) in rows {
            let found = media_type(said.and_then(MediaType::parse), manifest.as_ref());
            assert_eq!(found, expected.and_then(MediaType::parse), "{said:?}");
        }
    }
}
