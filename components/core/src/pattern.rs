//! Patterns over repositories' names and tags, as an operator writes them.
//!
//! `*` stands for any characters but slashes, `**` for any characters, and `**/`
//! where a component starts for any number of whole components: `library/*`,
//! `team/**`, `**/app`, `v*.*.*`. Everything else stands for itself. A pattern
//! matches a whole name, and names are those that the origin knows: `alpine` at
//! docker.io is `library/alpine`.

use crate::glob::Glob;
use crate::name::{MAX_NAME, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// Longest pattern in bytes: as long as what it matches. It bounds the time of a match.
pub const MAX_PATTERN: usize = MAX_NAME;

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing matches it.
    #[error("the pattern is empty")]
    Empty,
    /// It has more than [`MAX_PATTERN`] bytes.
    #[error("the pattern is longer than 255 bytes")]
    TooLong,
    /// What it is to match never holds this character.
    #[error("the pattern holds {0:?}, which nothing that it is to match can hold")]
    Character(char),
}

/// What a pattern is matched with.
pub trait Matched {
    /// Whether such a text can hold this character.
    fn holds(character: char) -> bool;

    /// The text.
    fn text(&self) -> &str;
}

impl Matched for RepositoryName {
    fn holds(character: char) -> bool {
        character.is_ascii_lowercase() || character.is_ascii_digit() || "._-/".contains(character)
    }

    fn text(&self) -> &str {
        self.as_str()
    }
}

impl Matched for Tag {
    fn holds(character: char) -> bool {
        character.is_ascii_alphanumeric() || "._-".contains(character)
    }

    fn text(&self) -> &str {
        self.as_str()
    }
}

/// A pattern over one kind of text.
#[derive(Serialize, Deserialize)]
#[serde(bound = "T: Matched", try_from = "String", into = "String")]
pub struct Pattern<T> {
    text: Box<str>,
    glob: Glob,
    of: PhantomData<fn(&T)>,
}

impl<T: Matched> Pattern<T> {
    /// Parses a pattern, and compiles it.
    ///
    /// # Errors
    /// It is empty or too long, or could match nothing for a character in it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MAX_PATTERN {
            return Err(PatternError::TooLong);
        }
        match text.chars().find(|c| *c != '*' && !T::holds(*c)) {
            Some(strange) => Err(PatternError::Character(strange)),
            None => Ok(Self {
                text: text.into(),
                glob: Glob::new(text),
                of: PhantomData,
            }),
        }
    }

    /// Whether it matches the whole of that.
    #[must_use]
    pub fn matches(&self, value: &T) -> bool {
        self.glob.matches(value.text())
    }
}

impl<T> Pattern<T> {
    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

// Derived, these would ask the same of `T`, of which there is none inside.
impl<T> Clone for Pattern<T> {
    fn clone(&self) -> Self {
        Self {
            text: self.text.clone(),
            glob: self.glob.clone(),
            of: PhantomData,
        }
    }
}

impl<T> PartialEq for Pattern<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for Pattern<T> {}

impl<T> fmt::Display for Pattern<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T> fmt::Debug for Pattern<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<T: Matched> TryFrom<String> for Pattern<T> {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::parse(&text)
    }
}

impl<T> From<Pattern<T>> for String {
    fn from(pattern: Pattern<T>) -> Self {
        pattern.text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matches_names_as_they_are_at_the_origin() {
        let pattern = Pattern::<RepositoryName>::parse("library/*").expect("a pattern");
        let matches = |name| pattern.matches(&RepositoryName::parse(name).expect(name));
        assert!(matches("library/alpine"));
        assert!(!matches("alpine") && !matches("library/a/b"));
        assert_eq!(pattern.as_str(), "library/*");
    }

    #[test]
    fn matches_tags() {
        let pattern = Pattern::<Tag>::parse("v*").expect("a pattern");
        let matches = |tag| pattern.matches(&Tag::parse(tag).expect(tag));
        assert!(matches("v") && matches("v1.2.3"));
        assert!(!matches("V1") && !matches("1v"));
    }

    #[test]
    fn refuses_what_can_match_nothing() {
        let long = "a".repeat(256);
        let rows = [
            ("", PatternError::Empty, PatternError::Empty),
            (&long, PatternError::TooLong, PatternError::TooLong),
            (
                "v?",
                PatternError::Character('?'),
                PatternError::Character('?'),
            ),
            (
                "{a,b}",
                PatternError::Character('{'),
                PatternError::Character('{'),
            ),
            (
                "a b",
                PatternError::Character(' '),
                PatternError::Character(' '),
            ),
            (
                "é*",
                PatternError::Character('é'),
                PatternError::Character('é'),
            ),
        ];
        for (text, repository, tag) in rows {
            assert_eq!(Pattern::<RepositoryName>::parse(text), Err(repository));
            assert_eq!(Pattern::<Tag>::parse(text), Err(tag), "{text}");
        }
        assert_eq!(
            Pattern::<RepositoryName>::parse("Team/*"),
            Err(PatternError::Character('T'))
        );
        assert_eq!(
            Pattern::<Tag>::parse("a/*"),
            Err(PatternError::Character('/'))
        );
        assert!(Pattern::<Tag>::parse(&long[1..]).is_ok());
    }

    #[test]
    fn crosses_the_border_as_text() {
        let pattern: Pattern<Tag> = serde_json::from_str("\"v*\"").expect("a pattern");
        assert_eq!(pattern, Pattern::parse("v*").expect("a pattern"));
        let text = serde_json::to_string(&pattern).expect("serialises");
        assert_eq!(text, "\"v*\"");
        assert!(serde_json::from_str::<Pattern<Tag>>("\"\"").is_err());
        assert!(serde_json::from_str::<Pattern<Tag>>("5").is_err());
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_kept(text in "\\PC{0,300}|[a-z*/]{0,40}") {
            if let Ok(pattern) = Pattern::<RepositoryName>::parse(&text) {
                prop_assert_eq!(pattern.as_str(), text);
            }
        }

        #[test]
        fn a_name_matches_itself_and_stars(name in "[a-z]{1,5}(/[a-z]{1,5}){0,3}") {
            let name = RepositoryName::parse(&name).expect("a name");
            for text in [name.as_str(), "**"] {
                let pattern = Pattern::parse(text).expect("a pattern");
                prop_assert!(pattern.matches(&name));
            }
            let star = Pattern::<RepositoryName>::parse("*").expect("a pattern");
            prop_assert_eq!(star.matches(&name), name.is_single());
        }
    }
}
