//! Which images are meant.

use std::time::{Duration, SystemTime};

use ledge_core::config::RepositoryPattern;
use ledge_core::digest::{Digest, DigestError};
use ledge_core::fact::Place;
use ledge_core::image::{Image, ImageError};
use ledge_core::pattern::PatternError;
use ledge_core::reference::Reference;
use ledge_core::upstream::Upstreams;
use serde::{Deserialize, Serialize};

use crate::images::Found;

/// Which images are meant: those that all of this is true of. An empty one means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SelectorText", into = "SelectorText")]
pub struct Selector {
    images: Vec<Image>,
    repository: Option<RepositoryPattern>,
    digest: Option<Digest>,
    upstream: Option<String>,
    unused: Option<Duration>,
}

/// The same as it is written, on a command line or on a wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelectorText {
    /// One of these, by tag or digest; none is any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// In repositories that a pattern matches, as the origin calls them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// With this object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Of this upstream, by its name or an alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// That nobody used for so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unused: Option<u64>,
}

/// Why a text selects nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// It names no image.
    #[error("{name:?} names no image: {why}")]
    Image {
        /// What was written.
        name: String,
        /// What is wrong.
        why: ImageError,
    },
    /// It is no pattern.
    #[error("--repository: {0}")]
    Repository(PatternError),
    /// It is no digest.
    #[error("--digest: {0}")]
    Digest(DigestError),
}

impl TryFrom<SelectorText> for Selector {
    type Error = SelectError;

    fn try_from(text: SelectorText) -> Result<Self, SelectError> {
        let image = |name: &String| {
            Image::parse(name).map_err(|why| SelectError::Image {
                name: name.clone(),
                why,
            })
        };
        let repository = text.repository.as_deref().map(RepositoryPattern::parse);
        let digest = text.digest.as_deref().map(Digest::parse);
        Ok(Self {
            images: text.images.iter().map(image).collect::<Result<_, _>>()?,
            repository: repository.transpose().map_err(SelectError::Repository)?,
            digest: digest.transpose().map_err(SelectError::Digest)?,
            upstream: text.upstream,
            unused: text.unused.map(Duration::from_secs),
        })
    }
}

impl From<Selector> for SelectorText {
    fn from(selector: Selector) -> Self {
        Self {
            images: selector.images.iter().map(Image::to_string).collect(),
            repository: selector.repository.map(String::from),
            digest: selector.digest.map(|digest| digest.to_string()),
            upstream: selector.upstream,
            unused: selector.unused.map(|unused| unused.as_secs()),
        }
    }
}

impl Selector {
    /// Whether it means all images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The named images.
    pub(crate) fn images(&self) -> &[Image] {
        &self.images
    }

    pub(crate) fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether a repository is meant as a whole or not at all.
    pub(crate) fn is_of_repositories(&self) -> bool {
        self.images.is_empty() && self.digest.is_none() && self.unused.is_none()
    }

    /// Whether something of a repository can be meant.
    pub(crate) fn allows(&self, place: &Place, upstreams: &Upstreams) -> bool {
        let of_image = |image: &Image| {
            *image.repository() == place.repository
                && called(image.registry(), upstreams) == place.upstream
        };
        let upstream = self.upstream.as_deref();
        (self.images.is_empty() || self.images.iter().any(of_image))
            && upstream.is_none_or(|name| called(name, upstreams) == place.upstream)
            && self
                .repository
                .as_ref()
                .is_none_or(|pattern| pattern.matches(&place.repository))
    }

    /// Whether an image of a repository that [`Self::allows`] allows is meant, but for its digest.
    pub(crate) fn matches(&self, place: &Place, image: &Found, now: SystemTime) -> bool {
        let is_it = |named: &&Image| {
            *named.repository() == place.repository && image.is_called(named.reference())
        };
        let is_unused = |unused: Duration| {
            let since = now.checked_sub(unused).unwrap_or(SystemTime::UNIX_EPOCH);
            image.used.is_none_or(|used| used < since)
        };
        (self.images.is_empty() || self.images.iter().any(|named| is_it(&named)))
            && self.unused.is_none_or(is_unused)
    }

    /// Whether an image is meant as far as its objects say so: it is, or consists of, the digest.
    pub(crate) fn consists<'a>(&self, mut objects: impl Iterator<Item = &'a Digest>) -> bool {
        let digest = self.digest.as_ref();
        digest.is_none_or(|digest| objects.any(|object| object == digest))
    }
}

/// What an upstream's records call it; one that is not configured is called what it is called.
pub(crate) fn called<'a>(name: &'a str, upstreams: &'a Upstreams) -> &'a str {
    upstreams
        .find(name)
        .map_or(name, |upstream| upstream.name())
}

/// Whether a reference is that of a root with this tag or digest.
pub(crate) fn is_called(reference: &Reference, tag: Option<&str>, digest: &Digest) -> bool {
    match reference {
        Reference::Tag(named) => tag == Some(named.as_str()),
        Reference::Digest(named) => named == digest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let text = SelectorText {
            images: vec!["docker.io/library/alpine:3.20".to_owned()],
            repository: Some("library/*".to_owned()),
            digest: Some(format!("sha256:{}", "0a".repeat(32))),
            upstream: Some("docker.io".to_owned()),
            unused: Some(3600),
        };
        let selector = Selector::try_from(text.clone()).expect("right");
        let json = serde_json::to_string(&selector).expect("serialises");
        assert_eq!(
            serde_json::from_str::<Selector>(&json).expect("right"),
            selector
        );
        assert_eq!(SelectorText::from(selector), text);
        assert!(
            serde_json::from_str::<Selector>("{}")
                .expect("right")
                .is_empty()
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        let wrong = [
            r#"{"images":["A"]}"#,
            r#"{"repository":"?"}"#,
            r#"{"digest":"x"}"#,
            r#"{"image":"a"}"#,
            r#"{"unused":-1}"#,
        ];
        for json in wrong {
            assert!(serde_json::from_str::<Selector>(json).is_err(), "{json}");
        }
    }
}
