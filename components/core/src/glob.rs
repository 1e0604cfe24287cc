//! Texts with `*` and `**` in them, compiled once and matched in bounded time.
//!
//! Of our own because the crates that need no regular expressions take more than
//! is meant here (`{a,b}`, `[a-z]`, `!`) and have no step that refuses what is
//! mistyped.

/// What a pattern consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// This byte.
    Byte(u8),
    /// `*`: any bytes but slashes, or none.
    Run,
    /// `**`: any bytes, or none.
    Deep,
    /// `**/` where a component starts: any number of whole components, or none.
    Components,
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(Box<[Part]>);

impl Glob {
    /// Compiles a pattern; every text is one.
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let [first, tail @ ..] = rest {
            let starts = matches!(
                parts.last(),
                None | Some(Part::Byte(b'/') | Part::Components)
            );
            let (part, after) = match rest {
                [b'*', b'*', b'/', after @ ..] if starts => (Part::Components, after),
                [b'*', b'*', after @ ..] => (Part::Deep, after),
                [b'*', ..] => (Part::Run, tail),
                _ => (Part::Byte(*first), tail),
            };
            parts.push(part);
            rest = after;
        }
        Self(parts.into())
    }

    /// Whether the whole text matches. All ways to match are followed at once, so
    /// the time is the product of both lengths at most, whatever the pattern.
    pub(crate) fn matches(&self, text: &str) -> bool {
        // Whether the text so far can be what stands before each part.
        let mut reached = vec![false; self.0.len() + 1];
        reached[0] = true;
        self.skip(&mut reached, b'/');
        for byte in text.bytes() {
            self.step(&mut reached, byte);
            self.skip(&mut reached, byte);
        }
        reached[self.0.len()]
    }

    /// Takes one byte of the text, from the last part to the first: each writes
    /// what the one behind it has already read.
    fn step(&self, reached: &mut [bool], byte: u8) {
        reached[self.0.len()] = false;
        for (index, part) in self.0.iter().enumerate().rev() {
            let here = std::mem::take(&mut reached[index]);
            match part {
                Part::Byte(expected) => reached[index + 1] |= here && *expected == byte,
                Part::Run => reached[index] = here && byte != b'/',
                Part::Deep | Part::Components => reached[index] = here,
            }
        }
    }

    /// Passes over the parts that may be empty. Components end behind a slash.
    fn skip(&self, reached: &mut [bool], last: u8) {
        for (index, part) in self.0.iter().enumerate() {
            let may_be_empty = match part {
                Part::Byte(_) => false,
                Part::Run | Part::Deep => true,
                Part::Components => last == b'/',
            };
            reached[index + 1] |= reached[index] && may_be_empty;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matches_what_is_meant() {
        let rows: [(&str, &[&str], &[&str]); 12] = [
            ("", &[""], &["a"]),
            ("alpine", &["alpine"], &["alpin", "alpine3", "a/alpine"]),
            ("*", &["", "a", "a-b.c"], &["a/b", "/"]),
            ("**", &["", "a", "a/b/c"], &[]),
            ("library/*", &["library/a"], &["library", "library/a/b"]),
            ("library/**", &["library/a", "library/a/b"], &["library"]),
            (
                "**/app",
                &["app", "a/app", "a/b/app"],
                &["myapp", "a/myapp"],
            ),
            (
                "a/**/b",
                &["a/b", "a/x/b", "a/x/y/b"],
                &["ab", "a/xb", "a/b/c"],
            ),
            ("a**b", &["ab", "a/b", "axx/yyb"], &["b", "abc"]),
            ("v*.*.*", &["v1.2.3", "v1.2.3-rc.1"], &["v1.2", "1.2.3"]),
            (
                "*-debug",
                &["a-debug", "-debug"],
                &["a-debug2", "x/a-debug"],
            ),
            ("**/**/a", &["a", "x/a", "x/y/z/a"], &["xa"]),
        ];
        for (pattern, yes, no) in rows {
            let glob = Glob::new(pattern);
            for text in yes {
                assert!(glob.matches(text), "{pattern} and {text}");
            }
            for text in no {
                assert!(!glob.matches(text), "{pattern} and {text}");
            }
        }
    }

    /// Who follows one way after the other needs 2^100 steps for this.
    #[test]
    fn no_pattern_takes_for_ever() {
        let text = "a".repeat(255);
        for star in ["*a", "**a", "**/a"] {
            let glob = Glob::new(&format!("{}b", star.repeat(80)));
            assert!(!glob.matches(&text), "{star}");
        }
        assert!(Glob::new(&"*a".repeat(100)).matches(&text));
    }

    /// The definition, one way after the other.
    fn defined(pattern: &[Part], text: &[u8], starts: bool) -> bool {
        let Some((part, rest)) = pattern.split_first() else {
            return text.is_empty();
        };
        (0..=text.len()).any(|length| {
            let (taken, left) = text.split_at(length);
            let fits = match part {
                Part::Byte(byte) => taken == [*byte],
                Part::Run => !taken.contains(&b'/'),
                Part::Deep => true,
                Part::Components => taken.last().map_or(starts, |last| *last == b'/'),
            };
            let starts = taken.last().map_or(starts, |last| *last == b'/');
            fits && defined(rest, left, starts)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn agrees_with_the_definition(pattern in "[ab/*]{0,7}", text in "[ab/]{0,7}") {
            let glob = Glob::new(&pattern);
            let expected = defined(&glob.0, text.as_bytes(), true);
            prop_assert_eq!(glob.matches(&text), expected);
        }

        #[test]
        fn what_has_no_star_matches_itself_alone(pattern in "[a-z/]{0,9}", text in "[a-z/]{0,9}") {
            let glob = Glob::new(&pattern);
            prop_assert!(glob.matches(&pattern));
            prop_assert_eq!(glob.matches(&text), pattern == text);
        }
    }
}
