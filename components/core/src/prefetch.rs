//! Which parts of an image are fetched before a client asks for them.

use crate::digest::Digest;
use crate::manifest::{Child, Manifest};
use crate::media_type::MediaType;
use serde::{Deserialize, Serialize};

/// Up to how many bytes a part is small: a configuration, or a layer of a few files. A round trip to
/// the origin takes longer than its bytes do.
pub const SMALL: u64 = 1 << 20;

/// Which parts of an image are fetched when a client has got its manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefetch {
    /// None.
    #[default]
    Off,
    /// Those that the manifest says to be of at most [`SMALL`] bytes.
    Small,
    /// All.
    All,
}

impl Prefetch {
    /// The parts of an image to fetch, in the order in which the manifest lists them: its
    /// configuration first. Of an index there are none, because a client takes one of its platforms
    /// and not the others; nor are there of what is kept elsewhere (`urls`).
    pub fn parts(self, manifest: &Manifest) -> impl Iterator<Item = &Digest> {
        let is_image = manifest
            .media_type
            .as_ref()
            .is_some_and(MediaType::is_image);
        let parts = manifest.children.iter();
        parts
            .filter(move |part| is_image && self.takes(part))
            .map(|part| &part.digest)
    }

    fn takes(self, part: &Child) -> bool {
        let is_blob = part.manifest.is_none() && !part.foreign;
        is_blob
            && match self {
                Self::Off => false,
                Self::Small => part.size.is_some_and(|size| size <= SMALL),
                Self::All => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_type::{DOCKER_SCHEMA1, OCI_INDEX, OCI_MANIFEST};

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

    fn manifest(media_type: Option<&str>) -> Manifest {
        let foreign = Child {
            foreign: true,
            ..blob(5, Some(1))
        };
        let another = Child {
            manifest: MediaType::parse(OCI_MANIFEST),
            ..blob(6, Some(1))
        };
        Manifest {
            media_type: media_type.and_then(MediaType::parse),
            children: vec![
                blob(1, Some(SMALL)),
                blob(2, Some(SMALL + 1)),
                blob(3, None),
                blob(4, Some(0)),
                foreign,
                another,
            ],
            ..Manifest::default()
        }
    }

    #[test]
    fn size_decides_and_nothing_foreign_is_taken() {
        let rows: [(Prefetch, &[u8]); 3] = [
            (Prefetch::Off, &[]),
            (Prefetch::Small, &[1, 4]),
            (Prefetch::All, &[1, 2, 3, 4]),
        ];
        for media_type in [
            OCI_MANIFEST,
            "application/vnd.docker.distribution.manifest.v2+json",
        ] {
            let manifest = manifest(Some(media_type));
            for (prefetch, expected) in rows {
                let found: Vec<_> = prefetch.parts(&manifest).cloned().collect();
                let expected: Vec<_> = expected.iter().map(|byte| digest(*byte)).collect();
                assert_eq!(found, expected, "{prefetch:?} of {media_type}");
            }
        }
    }

    #[test]
    fn only_images_have_parts() {
        for media_type in [Some(OCI_INDEX), Some(DOCKER_SCHEMA1), Some("a/b"), None] {
            let manifest = manifest(media_type);
            assert_eq!(Prefetch::All.parts(&manifest).count(), 0, "{media_type:?}");
        }
    }

    #[test]
    fn names_cross_the_border() {
        for (prefetch, name) in [
            (Prefetch::Off, "\"off\""),
            (Prefetch::Small, "\"small\""),
            (Prefetch::All, "\"all\""),
        ] {
            assert_eq!(serde_json::to_string(&prefetch).expect(name), name);
            let read: Prefetch = serde_json::from_str(name).expect(name);
            assert_eq!(read, prefetch);
        }
        assert!(serde_json::from_str::<Prefetch>("\"All\"").is_err());
    }
}
