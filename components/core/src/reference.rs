//! References of manifests: OCI distribution specification 1.1, "Pulling manifests".

use crate::digest::{Digest, DigestError};
use crate::name::{Tag, TagError};
use std::fmt;

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A name that may mean another manifest tomorrow.
    Tag(Tag),
    /// The manifest itself.
    Digest(Digest),
}

/// Why a text is no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It has a colon, and so is no tag; neither is it a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// It has no colon, and is no tag.
    #[error(transparent)]
    Tag(#[from] TagError),
}

impl Reference {
    /// Parses a tag or a digest. Only digests have colons.
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            Ok(Self::Digest(Digest::parse(text)?))
        } else {
            Ok(Self::Tag(Tag::parse(text)?))
        }
    }

    /// The text, as it stands in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tells_tags_from_digests() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        assert!(
            matches!(Reference::parse(&digest), Ok(Reference::Digest(d)) if d.as_str() == digest)
        );
        assert!(
            matches!(Reference::parse("latest"), Ok(Reference::Tag(t)) if t.as_str() == "latest")
        );
        assert_eq!(Reference::parse(""), Err(ReferenceError::Tag(TagError)));
        assert_eq!(Reference::parse("a/b"), Err(ReferenceError::Tag(TagError)));
        assert_eq!(
            Reference::parse("md5:00"),
            Err(ReferenceError::Digest(DigestError::Algorithm))
        );
    }

    proptest! {
        #[test]
        fn prints_what_it_read(text in "[a-z0-9:._-]{0,140}|\\PC{0,40}") {
            if let Ok(reference) = Reference::parse(&text) {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
