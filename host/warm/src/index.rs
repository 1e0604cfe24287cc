//! What an index lists, with platforms: OCI image specification 1.1, "Image Index".

use std::collections::HashMap;
use std::fmt;

use ledge_core::digest::Digest;
use ledge_core::manifest::{MAX_CHILDREN, ManifestError};
use ledge_core::media_type::MediaType;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::platform::Platform;

/// The annotation by which BuildKit marks what is said about an image, and is none.
const ATTESTATION: &str = "vnd.docker.reference.type";

/// A manifest that an index lists.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) digest: Digest,
    /// What it is for. An index in an index says nothing.
    pub(crate) platform: Option<Platform>,
}

/// The manifests that an index lists, attestations left out; `None` if it lists none because it is
/// an image's manifest.
///
/// # Errors
/// The bytes are no JSON object, or the list has another shape than an index's.
pub(crate) fn entries(json: &[u8]) -> Result<Option<Vec<Entry>>, ManifestError> {
    let index: Index = serde_json::from_slice(json).map_err(|_| ManifestError)?;
    let entries = |listed: Entries| listed.0.into_iter().filter_map(RawEntry::entry).collect();
    Ok(index.manifests.map(entries))
}

#[derive(Deserialize)]
struct Index {
    manifests: Option<Entries>,
}

struct Entries(Vec<RawEntry>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntry {
    media_type: Option<String>,
    digest: Option<String>,
    platform: Option<RawPlatform>,
    annotations: Option<HashMap<String, String>>,
}

#[derive(Deserialize)]
struct RawPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
}

impl RawEntry {
    /// What is no manifest, or no image's, is left out.
    fn entry(self) -> Option<Entry> {
        let is_manifest = MediaType::parse(self.media_type.as_deref()?)?.is_manifest();
        let is_attestation = self
            .annotations
            .is_some_and(|all| all.contains_key(ATTESTATION));
        let digest = Digest::parse(self.digest.as_deref()?).ok()?;
        let platform = match self.platform {
            Some(raw) => Some(raw.platform()?),
            None => None,
        };
        (is_manifest && !is_attestation).then_some(Entry { digest, platform })
    }
}

impl RawPlatform {
    /// `unknown/unknown` marks what runs nowhere.
    fn platform(&self) -> Option<Platform> {
        if self.os == "unknown" {
            return None;
        }
        Platform::new(&self.os, &self.architecture, &self.variant)
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Listing)
    }
}

/// Reads up to [`MAX_CHILDREN`] entries. What lists more is refused, because warming a part of it
/// would be no answer.
struct Listing;

impl<'de> Visitor<'de> for Listing {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX_CHILDREN} manifests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() == MAX_CHILDREN {
                return Err(A::Error::invalid_length(MAX_CHILDREN + 1, &self));
            }
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledge_core::media_type::OCI_MANIFEST;
    use proptest::prelude::*;

    fn digest(byte: u8) -> Digest {
        Digest::from_sha256(&[byte; 32])
    }

    fn listed(byte: u8, rest: &str) -> String {
        format!(
            r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":1{rest}}}"#,
            digest(byte)
        )
    }

    fn entry(byte: u8, platform: &str) -> Entry {
        let platform =
            (!platform.is_empty()).then(|| Platform::parse(platform).expect("a platform"));
        Entry {
            digest: digest(byte),
            platform,
        }
    }

    #[test]
    fn images_are_listed_and_nothing_else() {
        let json = format!(
            r#"{{"manifests":[{},{},{},{},{},{{}},{{"mediaType":"text/plain","digest":"{}"}}]}}"#,
            listed(
                1,
                r#","platform":{"os":"linux","architecture":"arm64","variant":"v8"}"#
            ),
            listed(2, ""),
            listed(
                3,
                r#","platform":{"os":"unknown","architecture":"unknown"}"#
            ),
            listed(
                4,
                r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#
            ),
            listed(5, r#","platform":{"architecture":"amd64"}"#),
            digest(6),
        );
        let found = vec![entry(1, "linux/arm64"), entry(2, "")];
        assert_eq!(entries(json.as_bytes()), Ok(Some(found)));
        assert_eq!(entries(br#"{"manifests":[]}"#), Ok(Some(Vec::new())));
        for json in ["{}", r#"{"manifests":null,"layers":[]}"#] {
            assert_eq!(entries(json.as_bytes()), Ok(None), "{json}");
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let one = listed(1, "");
        let many = |count| {
            format!(
                r#"{{"manifests":[{}]}}"#,
                vec![one.as_str(); count].join(",")
            )
        };
        let most = entries(many(MAX_CHILDREN).as_bytes()).expect("an index");
        assert_eq!(most.map(|entries| entries.len()), Some(MAX_CHILDREN));
        let too_many = many(MAX_CHILDREN + 1);
        for json in [
            "",
            "[5]",
            r#"{"manifests":5}"#,
            r#"{"manifests":[5]}"#,
            &too_many,
        ] {
            assert_eq!(entries(json.as_bytes()), Err(ManifestError), "{json:.40}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, text in "\\{\"manifests\":[\\[\\]{}\"a-z0-9,:]{0,60}") {
            let _ = (entries(&bytes), entries(text.as_bytes()));
        }
    }
}
