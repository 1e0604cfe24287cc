//! Repository names and tags: OCI distribution specification 1.1, "Pulling manifests".

use crate::uri::Authority;
use std::fmt;

/// Longest repository name in bytes (the specification's advice for clients).
pub const MAX_NAME: usize = 255;

/// Longest tag in bytes (the specification's grammar).
pub const MAX_TAG: usize = 128;

/// Why a text is no repository name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has more than [`MAX_NAME`] bytes.
    #[error("the repository's name is longer than 255 bytes")]
    TooLong,
    /// A component is empty, or breaks the grammar.
    #[error("the repository's name breaks the grammar of the specification")]
    Grammar,
}

/// Why a text is no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tag has 1 to 128 letters, digits, '_', '.' and '-', and starts with neither '.' nor '-'"
)]
pub struct TagError;

/// A repository's name, such as `library/alpine`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Box<str>);

impl RepositoryName {
    /// Parses a name: components of `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` with
    /// slashes between them.
    ///
    /// # Errors
    /// The name is too long, or breaks the grammar.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_name(text)?;
        Ok(Self(text.into()))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has one component alone, like `alpine`.
    #[must_use]
    pub fn is_single(&self) -> bool {
        !self.0.contains('/')
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tag, such as `3.20`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Box<str>);

impl Tag {
    /// Parses a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
    ///
    /// # Errors
    /// The text breaks that grammar.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let (Some(first), true) = (text.bytes().next(), text.len() <= MAX_TAG) else {
            return Err(TagError);
        };
        if word(first) && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-')) {
            Ok(Self(text.into()))
        } else {
            Err(TagError)
        }
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name as it stands in a client's path: a repository's name, or a registry's
/// in front of one (`localhost:5000/team/app`). Which of the two it is, only the
/// configuration can tell.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestedName {
    text: Box<str>,
    whole: Result<(), NameError>,
}

impl RequestedName {
    /// Parses what stands between `/v2/` and the route's own words.
    ///
    /// # Errors
    /// It can be read in neither of the two ways.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let whole = check_name(text);
        if let Err(error) = whole {
            let (registry, rest) = text.split_once('/').ok_or(error)?;
            Authority::parse(registry).map_err(|_| error)?;
            check_name(rest)?;
        }
        Ok(Self {
            text: text.into(),
            whole,
        })
    }

    /// The text as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text read as a repository's name alone.
    ///
    /// # Errors
    /// It cannot be read so.
    pub fn repository(&self) -> Result<RepositoryName, NameError> {
        self.whole.map(|()| RepositoryName(self.text.clone()))
    }

    /// The text read as a registry and a repository's name, if it has more than
    /// one component.
    #[must_use]
    pub fn split(&self) -> Option<(&str, RepositoryName)> {
        let (registry, rest) = self.text.split_once('/')?;
        // A suffix of a name's components is a name; else `parse` has checked it.
        Some((registry, RepositoryName(rest.into())))
    }
}

impl fmt::Debug for RequestedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_name(text: &str) -> Result<(), NameError> {
    if text.len() > MAX_NAME {
        return Err(NameError::TooLong);
    }
    if text.split('/').all(is_component) {
        Ok(())
    } else {
        Err(NameError::Grammar)
    }
}

/// Runs of letters and digits, with separators between them: one dot, one or two
/// underscores, or any number of dashes.
fn is_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut rest = text.as_bytes();
    loop {
        let word = rest.iter().take_while(|b| alphanumeric(**b)).count();
        rest = &rest[word..];
        if word == 0 || rest.is_empty() {
            return word > 0;
        }
        let separator = rest.iter().take_while(|b| !alphanumeric(**b)).count();
        let allowed = match &rest[..separator] {
            b"." | b"_" | b"__" => true,
            dashes => dashes.iter().all(|b| *b == b'-'),
        };
        if !allowed {
            return false;
        }
        rest = &rest[separator..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: &str = "[a-z0-9]{1,6}((\\.|_|__|-{1,4}|/)[a-z0-9]{1,4}){0,6}";

    #[test]
    fn reads_repository_names() {
        let good = [
            "a",
            "0",
            "alpine",
            "library/alpine",
            "a.b_c__d-e---f/g",
            "my.project/x",
            "v2",
            "blobs/uploads",
            "a/b/c/d/e",
        ];
        for text in good {
            assert_eq!(RepositoryName::parse(text).expect(text).as_str(), text);
        }
        let bad = [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "aB",
            ".",
            "..",
            "a/..",
            "../a",
            "a..b",
            "a___b",
            "a._b",
            "a.",
            "-a",
            "a-",
            "_a",
            "a b",
            "a\0b",
            "a%2fb",
            "é",
            "localhost:5000/a",
            "a:b",
            "a@b",
        ];
        for text in bad {
            assert_eq!(
                RepositoryName::parse(text),
                Err(NameError::Grammar),
                "{text:?}"
            );
        }
        assert!(RepositoryName::parse(&"a".repeat(255)).is_ok());
        assert_eq!(
            RepositoryName::parse(&"a".repeat(256)),
            Err(NameError::TooLong)
        );
        assert!(RepositoryName::parse("a").expect("a name").is_single());
        assert!(!RepositoryName::parse("a/b").expect("a name").is_single());
    }

    #[test]
    fn reads_tags() {
        for text in [
            "a",
            "_",
            "3.20",
            "latest",
            "V1-rc.2_x",
            "sha256-abc",
            &"a".repeat(128),
        ] {
            assert_eq!(Tag::parse(text).expect(text).as_str(), text);
        }
        for text in [
            "",
            ".",
            "-a",
            ".a",
            "a b",
            "a/b",
            "a:b",
            "a\0",
            "é",
            "a+b",
            &"a".repeat(129),
        ] {
            assert_eq!(Tag::parse(text), Err(TagError), "{text:?}");
        }
    }

    #[test]
    fn reads_names_of_requests() {
        let split = |text: &str| {
            let name = RequestedName::parse(text).expect(text);
            let parts = name.split().map(|(a, b)| (a.to_owned(), b.to_string()));
            (name.repository().map(|n| n.to_string()), parts)
        };
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(split("alpine"), (Ok("alpine".to_owned()), None));
        assert_eq!(
            split("docker.io/library/alpine"),
            (
                Ok("docker.io/library/alpine".to_owned()),
                pair("docker.io", "library/alpine")
            )
        );
        assert_eq!(
            split("localhost:5000/a"),
            (Err(NameError::Grammar), pair("localhost:5000", "a"))
        );
        assert_eq!(
            split("Docker.IO/a"),
            (Err(NameError::Grammar), pair("Docker.IO", "a"))
        );
        for text in [
            "",
            "A",
            "localhost:5000",
            "localhost:5000/A",
            "a b/c",
            "..//a",
            "a:0/b",
            "../a",
            "x@y/a",
        ] {
            assert_eq!(
                RequestedName::parse(text),
                Err(NameError::Grammar),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_registry_does_not_count_towards_the_length() {
        let rest = "a".repeat(255);
        assert!(RequestedName::parse(&format!("docker.io/{rest}")).is_ok());
        assert_eq!(
            RequestedName::parse(&format!("docker.io/{rest}a")),
            Err(NameError::TooLong)
        );
    }

    proptest! {
        #[test]
        fn names_of_the_grammar_round_trip(text in NAME) {
            let name = RepositoryName::parse(&text);
            prop_assert_eq!(name.map(|n| n.to_string()), Ok(text.clone()));
            prop_assert!(RequestedName::parse(&text).is_ok());
        }

        #[test]
        fn what_splits_off_is_a_name(text in "[a-z0-9.:/_A-Z-]{0,40}") {
            if let Ok(name) = RequestedName::parse(&text) {
                if let Some((_, rest)) = name.split() {
                    prop_assert_eq!(RepositoryName::parse(rest.as_str()), Ok(rest));
                }
                if let Ok(whole) = name.repository() {
                    prop_assert_eq!(RepositoryName::parse(whole.as_str()), Ok(whole));
                }
            }
        }

        #[test]
        fn garbage_is_refused(text in "\\PC{0,300}") {
            let parsed = RepositoryName::parse(&text);
            prop_assert!(parsed.is_err() || text.is_ascii());
            let _ = (Tag::parse(&text), RequestedName::parse(&text));
        }
    }
}
