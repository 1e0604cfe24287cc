//! Referrers: OCI distribution specification 1.1, "Listing Referrers" and
//! "Unavailable Referrers API".

use crate::bounded::Bounded;
use crate::digest::Digest;
use crate::name::{Tag, TagError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Most referrers of one subject. A signature, an attestation or two and a bill of
/// materials for each platform are usual; ten thousand are far more.
pub const MAX_REFERRERS: usize = 10_000;

/// The name of the response field that says which filters were applied.
pub const FILTERS_APPLIED: &str = "oci-filters-applied";

/// The value of [`FILTERS_APPLIED`] where the type was filtered.
pub const ARTIFACT_TYPE_FILTER: &str = "artifactType";

/// Why an origin's index of referrers cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferrersError {
    /// It is no index.
    #[error("the index of referrers is not readable")]
    Json,
    /// It has more than [`MAX_REFERRERS`] entries.
    #[error("the index of referrers is longer than 10000 entries")]
    TooLong,
}

/// The tag that holds the referrers of a subject where the origin lacks the API:
/// `sha256-<hex>`.
///
/// # Errors
/// The tag is too long: that of a SHA-512 digest has 135 characters. Such a
/// subject has no fallback.
pub fn fallback_tag(subject: &Digest) -> Result<Tag, TagError> {
    Tag::parse(&format!("{}-{}", subject.algorithm(), subject.hex()))
}

/// The referrers of a subject, each descriptor as the origin wrote it.
#[derive(Debug, Default)]
pub struct Referrers {
    descriptors: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct RawIndex {
    manifests: Bounded<Box<RawValue>, MAX_REFERRERS>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    artifact_type: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [Box<RawValue>],
}

impl Referrers {
    /// Adds an origin's page.
    ///
    /// # Errors
    /// The page is no index, or there are too many referrers.
    pub fn add_page(&mut self, json: &[u8]) -> Result<(), ReferrersError> {
        let page: RawIndex = serde_json::from_slice(json).map_err(|_| ReferrersError::Json)?;
        if page.manifests.cut
            || self.descriptors.len() + page.manifests.entries.len() > MAX_REFERRERS
        {
            return Err(ReferrersError::TooLong);
        }
        self.descriptors.extend(page.manifests.entries);
        Ok(())
    }

    /// Leaves only those of a type.
    pub fn retain_type(&mut self, artifact_type: &str) {
        self.descriptors.retain(|descriptor| {
            let kind: Option<Kind> = serde_json::from_str(descriptor.get()).ok();
            kind.and_then(|k| k.artifact_type).as_deref() == Some(artifact_type)
        });
    }

    /// The index that is the answer, empty if there are none.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        let index = Index {
            schema_version: 2,
            media_type: crate::media_type::OCI_INDEX,
            manifests: &self.descriptors,
        };
        serde_json::to_vec(&index).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::image::ImageIndex;
    use proptest::prelude::*;

    const EMPTY: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

    #[test]
    fn filters_and_keeps_every_byte_of_a_descriptor() {
        let digest = Digest::from_sha256(&[1; 32]);
        let descriptor = |kind: &str| {
            format!(
                r#"{{"size":5, "digest":"{digest}","mediaType":"application/vnd.oci.image.manifest.v1+json"{kind},"x":[1, 2]}}"#
            )
        };
        let (signature, other, untyped) = (
            descriptor(r#","artifactType":"application/sig""#),
            descriptor(r#","artifactType":"application/sbom""#),
            descriptor(""),
        );
        let mut referrers = Referrers::default();
        referrers
            .add_page(format!(r#"{{"manifests":[{signature},{other}]}}"#).as_bytes())
            .expect("an index");
        referrers
            .add_page(format!(r#"{{"schemaVersion":2,"manifests":[{untyped}]}}"#).as_bytes())
            .expect("an index");
        let all = String::from_utf8(referrers.json()).expect("text");
        assert_eq!(
            all,
            EMPTY.replace("[]", &format!("[{signature},{other},{untyped}]"))
        );
        assert_eq!(
            ImageIndex::from_reader(all.as_bytes())
                .expect("an index")
                .manifests()
                .len(),
            3
        );
        referrers.retain_type("application/sig");
        let some = String::from_utf8(referrers.json()).expect("text");
        assert_eq!(some, EMPTY.replace("[]", &format!("[{signature}]")));
        referrers.retain_type("application/none");
        assert_eq!(referrers.json(), EMPTY.as_bytes());
    }

    #[test]
    fn refuses_what_is_no_index() {
        for json in [
            "",
            "[]",
            "{}",
            "null",
            r#"{"manifests":{}}"#,
            r#"{"manifests":[}"#,
        ] {
            assert_eq!(
                Referrers::default().add_page(json.as_bytes()),
                Err(ReferrersError::Json),
                "{json}"
            );
        }
        let page = |count| format!(r#"{{"manifests":[{}]}}"#, vec!["{}"; count].join(","));
        let mut referrers = Referrers::default();
        assert_eq!(
            referrers.add_page(page(MAX_REFERRERS + 1).as_bytes()),
            Err(ReferrersError::TooLong)
        );
        assert_eq!(referrers.add_page(page(MAX_REFERRERS).as_bytes()), Ok(()));
        assert_eq!(
            referrers.add_page(page(1).as_bytes()),
            Err(ReferrersError::TooLong)
        );
    }

    #[test]
    fn falls_back_to_a_tag() {
        let subject = Digest::from_sha256(&[0xab; 32]);
        let tag = fallback_tag(&subject).expect("a tag");
        assert_eq!(tag.as_str(), format!("sha256-{}", "ab".repeat(32)));
        assert_eq!(fallback_tag(&Digest::from_sha512(&[0; 64])), Err(TagError));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, text in "\\{\"manifests\":\\[[\\[\\]{}\"a-z,:]{0,60}") {
            for bytes in [bytes, text.into_bytes()] {
                let mut referrers = Referrers::default();
                let _ = referrers.add_page(&bytes);
                referrers.retain_type("a/b");
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&referrers.json()).is_ok());
            }
        }
    }
}
