//! Platforms: OCI image specification 1.1, "Image Index", `platform`.

use crate::glob::Glob;
use crate::pattern::{MAX_PATTERN, PatternError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an image is made for: `linux/arm64`, or `linux/arm/v7` with a variant.
#[derive(Clone, PartialEq, Eq)]
pub struct Platform {
    text: Box<str>,
    /// Where the variant's slash is, or the end.
    base: usize,
}

impl Platform {
    /// A platform of a descriptor's `os`, `architecture` and `variant`. `None` if one
    /// of them is nothing that a platform consists of, or all together are longer than
    /// a pattern. An empty variant is none.
    #[must_use]
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Option<Self> {
        let variant = variant.filter(|variant| !variant.is_empty());
        let words = [Some(os), Some(architecture), variant];
        if !words.into_iter().flatten().all(is_word) {
            return None;
        }
        let base = format!("{os}/{architecture}");
        let text = match variant {
            Some(variant) => format!("{base}/{variant}"),
            None => base.clone(),
        };
        (text.len() <= MAX_PATTERN).then(|| Self {
            text: text.into(),
            base: base.len(),
        })
    }

    /// A platform as [`Self::as_str`] writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let (os, architecture) = (parts.next()?, parts.next()?);
        Self::new(os, architecture, parts.next()).filter(|platform| platform.as_str() == text)
    }

    /// `os/arch[/variant]`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no pattern of platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// It does not have two or three parts.
    #[error("a platform is written os/architecture or os/architecture/variant")]
    Shape,
    /// One of the parts is no pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// Which platforms: `linux/amd64`, `linux/*`, `linux/arm/v7`. `*` stands for any
/// characters of one part. Without a variant it matches every variant.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlatformPattern {
    text: Box<str>,
    glob: Glob,
    has_variant: bool,
}

impl PlatformPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// It has another shape than a platform, or could match nothing for a character in it.
    pub fn parse(text: &str) -> Result<Self, PlatformError> {
        if text.len() > MAX_PATTERN {
            return Err(PatternError::TooLong.into());
        }
        let allowed = |c: char| matches!(c, '/' | '*') || is_letter(c);
        if let Some(strange) = text.chars().find(|c| !allowed(*c)) {
            return Err(PatternError::Character(strange).into());
        }
        let parts = text.split('/').count();
        // `**` would cross from one part into the next.
        if !(2..=3).contains(&parts) || text.split('/').any(str::is_empty) || text.contains("**") {
            return Err(PlatformError::Shape);
        }
        Ok(Self {
            text: text.into(),
            glob: Glob::new(text),
            has_variant: parts == 3,
        })
    }

    /// Whether it matches a platform.
    #[must_use]
    pub fn matches(&self, platform: &Platform) -> bool {
        let text = if self.has_variant {
            &platform.text
        } else {
            &platform.text[..platform.base]
        };
        self.glob.matches(text)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for PlatformPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PlatformPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for PlatformPattern {
    type Error = PlatformError;

    fn try_from(text: String) -> Result<Self, PlatformError> {
        Self::parse(&text)
    }
}

impl From<PlatformPattern> for String {
    fn from(pattern: PlatformPattern) -> Self {
        pattern.text.into()
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_letter)
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matches_what_is_meant() {
        let amd64 = Platform::new("linux", "amd64", None);
        let arm64 = Platform::new("linux", "arm64", Some("v8"));
        let arm = Platform::new("linux", "arm", Some("v7"));
        let windows = Platform::new("windows", "amd64", Some(""));
        let unknown = Platform::new("unknown", "unknown", None);
        let platforms = [amd64, arm64, arm, windows, unknown].map(|p| p.expect("a platform"));
        let rows = [
            ("linux/amd64", [true, false, false, false, false]),
            ("linux/arm64", [false, true, false, false, false]),
            ("linux/arm/v7", [false, false, true, false, false]),
            ("linux/arm/v6", [false; 5]),
            ("linux/arm", [false, false, true, false, false]),
            ("linux/arm*", [false, true, true, false, false]),
            ("linux/*", [true, true, true, false, false]),
            ("*/*", [true; 5]),
            ("*/*/*", [false, true, true, false, false]),
            ("windows/*", [false, false, false, true, false]),
            ("unknown/unknown", [false, false, false, false, true]),
        ];
        for (pattern, expected) in rows {
            let pattern = PlatformPattern::parse(pattern).expect(pattern);
            let found = platforms
                .each_ref()
                .map(|platform| pattern.matches(platform));
            assert_eq!(found, expected, "{pattern}");
        }
        assert_eq!(platforms[1].as_str(), "linux/arm64/v8");
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        let long = format!("linux/{}", "a".repeat(250));
        let rows = [
            ("", PlatformError::Shape),
            ("linux", PlatformError::Shape),
            ("a/b/c/d", PlatformError::Shape),
            ("linux/", PlatformError::Shape),
            ("/amd64", PlatformError::Shape),
            ("linux/**", PlatformError::Shape),
            ("linux amd64", PatternError::Character(' ').into()),
            ("linux/é", PatternError::Character('é').into()),
            (&long, PatternError::TooLong.into()),
        ];
        for (text, error) in rows {
            assert_eq!(PlatformPattern::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_a_stranger_lists_is_bounded() {
        let long = "a".repeat(250);
        let rows = [
            ("", "amd64", None),
            ("linux", "", None),
            ("linux", "a/b", None),
            ("linux", "amd64", Some("v/8")),
            ("li nux", "amd64", None),
            ("linux", long.as_str(), None),
            ("linux", "amd64\n", None),
        ];
        for (os, architecture, variant) in rows {
            assert_eq!(
                Platform::new(os, architecture, variant),
                None,
                "{os} {architecture}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_platform_matches_itself(os in "[a-z]{1,9}", arch in "[a-z0-9]{1,9}", variant in proptest::option::of("[a-z0-9]{1,4}")) {
            let platform = Platform::new(&os, &arch, variant.as_deref()).expect("a platform");
            let pattern = PlatformPattern::parse(platform.as_str()).expect("a pattern");
            prop_assert!(pattern.matches(&platform));
            let base = PlatformPattern::parse(&format!("{os}/{arch}")).expect("a pattern");
            prop_assert!(base.matches(&platform));
        }

        #[test]
        fn garbage_is_refused_or_kept(text in "\\PC{0,120}|[a-z*/]{0,20}", variant: Option<String>) {
            if let Ok(pattern) = PlatformPattern::parse(&text) {
                prop_assert_eq!(pattern.as_str(), &text);
            }
            let _ = Platform::new(&text, &text, variant.as_deref());
        }
    }
}
