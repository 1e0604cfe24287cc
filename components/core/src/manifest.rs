//! What a manifest lists: OCI image specification 1.1, "Image Manifest" and
//! "Image Index"; the Docker image manifests of schema 1 and 2; the OCI artifact
//! manifest of the 1.1 release candidates.
//!
//! Manifests are served byte for byte; this reading only learns which digests
//! belong to one. It is lenient: what it does not know it passes over.

use crate::bounded::Bounded;
use crate::digest::Digest;
use crate::media_type::{DOCKER_SCHEMA1, MediaType, OCI_INDEX, OCI_MANIFEST};
use crate::platform::Platform;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Largest manifest in bytes: what the distribution specification ("Pushing
/// manifests") asks every registry to take.
pub const MAX_MANIFEST: u32 = 4 * 1024 * 1024;

/// Most children that are learned; the others are asked for at the origin one by
/// one. Real images have up to 127 layers, real indexes some dozens of manifests.
pub const MAX_CHILDREN: usize = 1024;

/// The bytes are no manifest that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest is no JSON of a known shape")]
pub struct ManifestError;

/// What a manifest says of itself and others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What it says that it is.
    pub media_type: Option<MediaType>,
    /// What it is for, if it says so.
    pub artifact_type: Option<MediaType>,
    /// What it refers to. Not a child: its subject need not exist.
    pub subject: Option<Digest>,
    /// What it consists of, at most [`MAX_CHILDREN`].
    pub children: Vec<Child>,
}

/// A descriptor in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The bytes.
    pub digest: Digest,
    /// The media type of another manifest; `None` for a blob.
    pub manifest: Option<MediaType>,
    /// The size in bytes that the manifest says.
    pub size: Option<u64>,
    /// Whether the bytes are elsewhere (`urls`), so that the registry need not have them.
    pub foreign: bool,
    /// What it is made for, if it is an entry of an index that says so.
    pub platform: Option<Platform>,
}

impl Manifest {
    /// Reads the bytes of any manifest or index.
    ///
    /// # Errors
    /// The bytes are no JSON object, or one of its known parts has another shape.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        let raw: Raw = serde_json::from_slice(json).map_err(|_| ManifestError)?;
        let media_type = raw.kind();
        let config = raw.config.into_iter();
        let blobs = config.chain(raw.layers.entries).chain(raw.blobs.entries);
        let schema1 = raw.fs_layers.entries.into_iter().map(RawDescriptor::from);
        let manifests = raw
            .manifests
            .entries
            .into_iter()
            .filter_map(RawDescriptor::manifest);
        let children = blobs
            .chain(schema1)
            .filter_map(RawDescriptor::blob)
            .chain(manifests);
        Ok(Self {
            media_type,
            artifact_type: raw.artifact_type.as_deref().and_then(MediaType::parse),
            subject: raw.subject.and_then(|s| Digest::parse(&s.digest?).ok()),
            children: children.take(MAX_CHILDREN).collect(),
        })
    }
}

type List<T> = Bounded<T, MAX_CHILDREN>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<RawDescriptor>,
    subject: Option<RawDescriptor>,
    #[serde(default)]
    layers: List<RawDescriptor>,
    #[serde(default)]
    blobs: List<RawDescriptor>,
    #[serde(default)]
    manifests: List<RawDescriptor>,
    #[serde(default)]
    fs_layers: List<RawLayer>,
}

impl Raw {
    /// OCI manifests may leave their type out; then their parts tell.
    fn kind(&self) -> Option<MediaType> {
        let said = self.media_type.as_deref().and_then(MediaType::parse);
        said.or_else(|| {
            let guess = if !self.fs_layers.entries.is_empty() {
                DOCKER_SCHEMA1
            } else if !self.manifests.entries.is_empty() {
                OCI_INDEX
            } else if self.config.is_some() {
                OCI_MANIFEST
            } else {
                return None;
            };
            MediaType::parse(guess)
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: Option<String>,
    digest: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    urls: Bounded<String, 1>,
    /// Unread, because one that is strange makes no index unreadable.
    platform: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl RawDescriptor {
    fn blob(self) -> Option<Child> {
        Some(Child {
            digest: Digest::parse(&self.digest?).ok()?,
            manifest: None,
            size: self.size,
            foreign: !self.urls.entries.is_empty(),
            platform: None,
        })
    }

    fn platform(&self) -> Option<Platform> {
        let raw: RawPlatform = serde_json::from_str(self.platform.as_ref()?.get()).ok()?;
        Platform::new(&raw.os, &raw.architecture, raw.variant.as_deref())
    }

    /// An entry of an index. One of another type than a manifest's is a blob.
    fn manifest(self) -> Option<Child> {
        let media_type = self.media_type.as_deref().and_then(MediaType::parse);
        let manifest = media_type.filter(MediaType::is_manifest);
        let platform = self.platform();
        Some(Child {
            manifest,
            platform,
            ..self.blob()?
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLayer {
    blob_sum: Option<String>,
}

impl From<RawLayer> for RawDescriptor {
    fn from(layer: RawLayer) -> Self {
        Self {
            digest: layer.blob_sum,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(byte: u8) -> Digest {
        Digest::from_sha256(&[byte; 32])
    }

    fn blob(byte: u8, size: Option<u64>) -> Child {
        Child {
            digest: digest(byte),
            manifest: None,
            size,
            foreign: false,
            platform: None,
        }
    }

    fn descriptor(byte: u8, rest: &str) -> String {
        format!(r#"{{"digest":"{}","size":{byte}{rest}}}"#, digest(byte))
    }

    #[test]
    fn reads_images() {
        let (config, layer, base) = (
            descriptor(1, ""),
            descriptor(2, r#","mediaType":"a/b""#),
            descriptor(3, r#","urls":["https://x"]"#),
        );
        let subject = descriptor(9, "");
        let json = format!(
            r#"{{"schemaVersion":2,"config":{config},"layers":[{layer},{base}],"subject":{subject},"artifactType":"application/vnd.x","annotations":{{"a":[1]}}}}"#
        );
        let manifest = Manifest::parse(json.as_bytes()).expect("a manifest");
        let foreign = Child {
            foreign: true,
            ..blob(3, Some(3))
        };
        assert_eq!(
            manifest.children,
            [blob(1, Some(1)), blob(2, Some(2)), foreign]
        );
        assert_eq!(manifest.subject, Some(digest(9)));
        assert_eq!(
            manifest.artifact_type,
            MediaType::parse("application/vnd.x")
        );
        assert_eq!(manifest.media_type, MediaType::parse(OCI_MANIFEST));
    }

    #[test]
    fn reads_indexes() {
        let typed = descriptor(
            1,
            &format!(
                r#","mediaType":"{OCI_MANIFEST}","platform":{{"os":"linux","architecture":"arm","variant":"v7"}}"#
            ),
        );
        let (untyped, layer) = (
            descriptor(2, r#","platform":{"os":"linux"}"#),
            descriptor(3, r#","mediaType":"application/x","platform":[7]"#),
        );
        let json =
            format!(r#"{{"mediaType":"{OCI_INDEX}","manifests":[{typed},{untyped},{layer}]}}"#);
        let manifest = Manifest::parse(json.as_bytes()).expect("an index");
        let child = Child {
            manifest: MediaType::parse(OCI_MANIFEST),
            platform: Platform::new("linux", "arm", Some("v7")),
            ..blob(1, Some(1))
        };
        assert_eq!(
            manifest.children,
            [child, blob(2, Some(2)), blob(3, Some(3))]
        );
        assert_eq!(manifest.media_type, MediaType::parse(OCI_INDEX));
    }

    #[test]
    fn reads_old_shapes() {
        let json = format!(
            r#"{{"schemaVersion":1,"fsLayers":[{{"blobSum":"{}"}},{{}}],"signatures":[{{}}]}}"#,
            digest(1)
        );
        let schema1 = Manifest::parse(json.as_bytes()).expect("a schema 1 manifest");
        assert_eq!(schema1.children, [blob(1, None)]);
        assert_eq!(schema1.media_type, MediaType::parse(DOCKER_SCHEMA1));
        let json = format!(
            r#"{{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[{}]}}"#,
            descriptor(5, "")
        );
        let artifact = Manifest::parse(json.as_bytes()).expect("an artifact manifest");
        assert_eq!(artifact.children, [blob(5, Some(5))]);
    }

    #[test]
    fn passes_over_what_is_missing() {
        for json in [
            "{}",
            r#"{"layers":null,"config":null}"#,
            r#"{"layers":[{}],"subject":{}}"#,
            r#"{"layers":[{"digest":"x"}]}"#,
        ] {
            let manifest = Manifest::parse(json.as_bytes()).expect(json);
            assert_eq!(manifest.children, [], "{json}");
            assert_eq!(manifest.subject, None, "{json}");
        }
    }

    #[test]
    fn refuses_other_shapes() {
        let deep = format!(r#"{{"x":{}"#, "[".repeat(1_000_000));
        let rows = [
            "",
            "null",
            "[]",
            "{",
            r#"{"layers":5}"#,
            r#"{"layers":[5]}"#,
            r#"{"config":"x"}"#,
            r#"{"layers":[],"layers":[]}"#,
            "\u{feff}{}",
            &deep,
        ];
        for json in rows {
            assert_eq!(
                Manifest::parse(json.as_bytes()),
                Err(ManifestError),
                "{json:.40}"
            );
        }
        assert_eq!(Manifest::parse(b"\xff"), Err(ManifestError));
    }

    #[test]
    fn is_bounded() {
        let layer = descriptor(1, "");
        let many = vec![layer.as_str(); 3000].join(",");
        let json = format!(r#"{{"layers":[{many}],"blobs":[{many}]}}"#);
        assert_eq!(
            Manifest::parse(json.as_bytes())
                .expect("a manifest")
                .children
                .len(),
            MAX_CHILDREN
        );
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, text in "\\{(\"(layers|config|manifests|mediaType)\":)?[\\[\\]{}\"a-z0-9,:]{0,60}") {
            let _ = (Manifest::parse(&bytes), Manifest::parse(text.as_bytes()));
        }
    }
}
