//! Platforms, and which of an index's manifests are for one: OCI image specification 1.1, "Image
//! Index", and containerd's rules for variants (`platforms.Only`).

use std::fmt;

/// Longest word of a platform in bytes; the longest that Go knows have 10.
const MAX_WORD: usize = 32;

/// What an image is made for: `linux/arm64`, or `linux/arm/v7` with a variant.
///
/// Variants that say nothing are left out: `linux/arm64/v8` is `linux/arm64`, `linux/amd64/v1` is
/// `linux/amd64`, and `linux/arm` is `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    os: Box<str>,
    architecture: Box<str>,
    variant: Box<str>,
}

/// Why a text is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no platform: write os/architecture or os/architecture/variant, as linux/arm64")]
pub struct PlatformError(String);

impl Platform {
    /// Reads `os/architecture[/variant]`.
    ///
    /// # Errors
    /// The text has another shape.
    pub fn parse(text: &str) -> Result<Self, PlatformError> {
        let mut words = text.split('/');
        let read = match (words.next(), words.next(), words.next(), words.next()) {
            (Some(os), Some(architecture), variant, None) if variant != Some("") => {
                Self::new(os, architecture, variant.unwrap_or_default())
            }
            _ => None,
        };
        read.ok_or_else(|| PlatformError(text.chars().take(MAX_WORD * 3).collect()))
    }

    /// A platform of a descriptor's members; no variant is the empty text. `None` if they are
    /// nothing that a platform consists of.
    pub(crate) fn new(os: &str, architecture: &str, variant: &str) -> Option<Self> {
        if !is_word(os) || !is_word(architecture) || !(variant.is_empty() || is_word(variant)) {
            return None;
        }
        let variant = match (architecture, variant) {
            ("arm64", "v8") | ("amd64", "v1") => "",
            ("arm", "") => "v7",
            (_, variant) => variant,
        };
        Some(Self {
            os: os.into(),
            architecture: architecture.into(),
            variant: variant.into(),
        })
    }

    /// The platform of the containers that run on this machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self {
            os: "linux".into(),
            architecture: go_name(std::env::consts::ARCH).into(),
            variant: if cfg!(target_arch = "arm") { "v7" } else { "" }.into(),
        }
    }

    /// How well an image for `self` runs where one for `wanted` is wanted: 0 is exactly, more is
    /// an older variant; `None` is not at all.
    fn distance(&self, wanted: &Self) -> Option<u32> {
        if self.os != wanted.os || self.architecture != wanted.architecture {
            return None;
        }
        if self.variant == wanted.variant {
            return Some(0);
        }
        let (own, wanted) = (self.level()?, wanted.level()?);
        wanted.checked_sub(own)
    }

    /// A variant's number where a machine that has it runs the lower ones too.
    fn level(&self) -> Option<u32> {
        match (&*self.architecture, &*self.variant) {
            ("amd64", "") => Some(1),
            ("arm64", "") => Some(8),
            ("amd64" | "arm" | "arm64", variant) => variant.strip_prefix('v')?.parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() {
            Ok(())
        } else {
            write!(f, "/{}", self.variant)
        }
    }
}

/// Which of an index's platforms are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platforms {
    /// Every one that an index lists.
    All,
    /// These.
    These(Vec<Platform>),
}

impl Platforms {
    /// Reads `all`, or platforms with commas between them.
    ///
    /// # Errors
    /// One of them is no platform.
    pub fn parse(text: &str) -> Result<Self, PlatformError> {
        if text == "all" {
            return Ok(Self::All);
        }
        let read = text.split(',').map(|word| Platform::parse(word.trim()));
        Ok(Self::These(read.collect::<Result<_, _>>()?))
    }

    /// Which of those that an index lists are chosen, by their places, and which wanted ones it
    /// lacks. Several manifests for one platform (Windows has one a build) are all chosen.
    pub(crate) fn choose(&self, listed: &[Option<&Platform>]) -> (Vec<usize>, Vec<Platform>) {
        let Self::These(wanted) = self else {
            return ((0..listed.len()).collect(), Vec::new());
        };
        let (mut chosen, mut lacking) = (Vec::new(), Vec::new());
        for wanted in wanted {
            let distance = |at: usize| listed[at]?.distance(wanted);
            match (0..listed.len()).filter_map(distance).min() {
                Some(best) => {
                    chosen.extend((0..listed.len()).filter(|at| distance(*at) == Some(best)));
                }
                None => lacking.push(wanted.clone()),
            }
        }
        chosen.sort_unstable();
        chosen.dedup();
        (chosen, lacking)
    }
}

impl fmt::Display for Platforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::These(platforms) => {
                let texts: Vec<String> = platforms.iter().map(Platform::to_string).collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

/// Go's name of an architecture, which the specification asks for, of Rust's.
const fn go_name(rust: &str) -> &str {
    match rust.as_bytes() {
        b"x86_64" => "amd64",
        b"x86" => "386",
        b"aarch64" => "arm64",
        b"powerpc64" => "ppc64le",
        b"loongarch64" => "loong64",
        _ => rust,
    }
}

fn is_word(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= MAX_WORD && text.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn platforms_are_read() {
        let rows = [
            ("linux/amd64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("windows/amd64", "windows/amd64"),
        ];
        for (text, printed) in rows {
            assert_eq!(Platform::parse(text).expect(text).to_string(), printed);
        }
        let long = format!("linux/{}", "a".repeat(MAX_WORD + 1));
        for text in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "a/b/",
            "a/b/c/d",
            "linux/é",
            "linux/a b",
            "all",
            &long,
        ] {
            assert!(Platform::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_has_a_platform() {
        let own = Platform::of_this_machine();
        assert_eq!(Platform::parse(&own.to_string()), Ok(own));
        assert_eq!(go_name("x86_64"), "amd64");
        assert_eq!(go_name("aarch64"), "arm64");
        assert_eq!(go_name("s390x"), "s390x");
    }

    #[test]
    fn the_best_of_an_index_is_chosen() {
        let rows: [(&str, &[&str], &[usize], &str); 13] = [
            ("linux/amd64", &["linux/amd64", "linux/arm64"], &[0], ""),
            ("linux/arm64", &["linux/amd64", "linux/arm64/v8"], &[1], ""),
            ("linux/amd64", &["linux/amd64/v3", "linux/amd64"], &[1], ""),
            (
                "linux/amd64/v3",
                &["linux/amd64/v4", "linux/amd64", "linux/amd64/v2"],
                &[2],
                "",
            ),
            (
                "linux/arm",
                &["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"],
                &[1],
                "",
            ),
            ("linux/arm/v6", &["linux/arm/v7", "linux/arm/v5"], &[1], ""),
            ("linux/arm/v6", &["linux/arm/v7"], &[], "linux/arm/v6"),
            ("linux/arm64", &["linux/arm/v7"], &[], "linux/arm64"),
            (
                "linux/riscv64",
                &["linux/riscv64", "linux/riscv64/rva23"],
                &[0],
                "",
            ),
            (
                "windows/amd64",
                &["windows/amd64", "linux/amd64", "windows/amd64"],
                &[0, 2],
                "",
            ),
            (
                "linux/s390x,linux/amd64,linux/386",
                &["linux/amd64", "linux/s390x"],
                &[0, 1],
                "linux/386",
            ),
            ("linux/amd64,linux/amd64/v2", &["linux/amd64"], &[0], ""),
            ("all", &["linux/amd64", "unheard/of"], &[0, 1], ""),
        ];
        for (wanted, listed, chosen, lacking) in rows {
            let listed: Vec<_> = listed
                .iter()
                .map(|p| Platform::parse(p).expect("listed"))
                .collect();
            let listed: Vec<_> = listed.iter().map(Some).collect();
            let (found, lacks) = Platforms::parse(wanted).expect(wanted).choose(&listed);
            assert_eq!(found, chosen, "{wanted}");
            let lacks: Vec<_> = lacks.iter().map(Platform::to_string).collect();
            assert_eq!(lacks.join(","), lacking, "{wanted}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again(text in "[a-z]{1,8}/[a-z0-9]{1,8}(/v[0-9]{1,12})?|\\PC{0,60}") {
            if let Ok(platform) = Platform::parse(&text) {
                prop_assert_eq!(platform.distance(&platform), Some(0));
                prop_assert_eq!(Platform::parse(&platform.to_string()), Ok(platform));
            }
        }
    }
}
