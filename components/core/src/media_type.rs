//! Media types of manifests: OCI image specification 1.1, "Media Types", and
//! the Docker image manifest specification.

use std::fmt;

/// Longest media type, in bytes (RFC 6838, section 4.2: 127 for each half).
const MAX_MEDIA_TYPE: usize = 255;

/// The image index, which referrers are listed in.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Docker's manifest of an image, schema 2.
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What goes with a manifest whose type nothing tells.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The old signed Docker manifest, which says nothing of its type.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// The `Accept` field of every request by tag: all there is, so that an old
/// client's converted manifest never becomes the cached tag. Schema 1 and
/// everything unknown come last, because origins convert to what they prefer.
pub const ACCEPT_MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.oci.artifact.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5, \
    application/vnd.docker.distribution.manifest.v1+json;q=0.5, \
    */*;q=0.1";

/// A media type without parameters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MediaType(Box<str>);

impl MediaType {
    /// Parses `type/subtype`; parameters are dropped. `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let essence = text.split(';').next()?.trim_matches([' ', '\t']);
        let (kind, subtype) = essence.split_once('/')?;
        let good = is_token(kind) && is_token(subtype) && essence.len() <= MAX_MEDIA_TYPE;
        good.then(|| Self(essence.into()))
    }

    /// `type/subtype`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says nothing of what the bytes mean: what servers send for
    /// files that they do not know.
    #[must_use]
    pub fn is_generic(&self) -> bool {
        matches!(
            self.as_str(),
            "application/json"
                | "application/octet-stream"
                | "text/plain"
                | "text/html"
                | "binary/octet-stream"
        )
    }

    /// Whether it is the type of a manifest that lists the parts of one image.
    #[must_use]
    pub fn is_image(&self) -> bool {
        matches!(self.as_str(), OCI_MANIFEST | DOCKER_MANIFEST)
    }

    /// Whether it is the type of something that the manifests endpoint serves:
    /// a manifest or an index of OCI or Docker.
    #[must_use]
    pub fn is_manifest(&self) -> bool {
        let docker = self
            .as_str()
            .strip_prefix("application/vnd.docker.distribution.manifest.");
        docker.is_some()
            || matches!(
                self.as_str(),
                OCI_MANIFEST | OCI_INDEX | "application/vnd.oci.artifact.manifest.v1+json"
            )
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(tchar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::image::MediaType as Spec;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_specification() {
        assert_eq!(OCI_INDEX, Spec::ImageIndex.to_string());
        assert_eq!(OCI_MANIFEST, Spec::ImageManifest.to_string());
        for kind in [
            Spec::ImageIndex,
            Spec::ImageManifest,
            Spec::ArtifactManifest,
        ] {
            assert!(
                ACCEPT_MANIFESTS.split(", ").any(|t| t == kind.to_string()),
                "{kind}"
            );
        }
        for item in ACCEPT_MANIFESTS.split(", ").filter(|t| !t.starts_with('*')) {
            assert!(MediaType::parse(item).expect(item).is_manifest(), "{item}");
        }
        assert!(!ACCEPT_MANIFESTS.contains("  "));
    }

    #[test]
    fn reads_types() {
        let rows = [
            ("application/vnd.oci.image.manifest.v1+json", OCI_MANIFEST),
            (" application/json ; charset=utf-8", "application/json"),
            ("text/plain;x", "text/plain"),
        ];
        for (text, printed) in rows {
            assert_eq!(MediaType::parse(text).expect(text).as_str(), printed);
        }
        let long = format!("a/{}", "b".repeat(255));
        for text in [
            "", "/", "a", "a/", "/b", "a/b/c", "a /b", "a/b\n", "a/é", "a/b, c/d", &long,
        ] {
            assert_eq!(MediaType::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn tells_manifests_from_the_rest() {
        let rows = [
            (OCI_MANIFEST, true, false),
            (DOCKER_SCHEMA1, true, false),
            ("application/json", false, true),
            ("application/vnd.oci.image.layer.v1.tar+gzip", false, false),
        ];
        for (text, manifest, generic) in rows {
            let media_type = MediaType::parse(text).expect(text);
            assert_eq!(
                (media_type.is_manifest(), media_type.is_generic()),
                (manifest, generic),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_clean(text in "[a-z]{0,5}/[a-z+;]{0,9}|\\PC{0,40}") {
            if let Some(media_type) = MediaType::parse(&text) {
                prop_assert_eq!(MediaType::parse(media_type.as_str()), Some(media_type));
            }
        }
    }
}
