//! Digests: OCI image specification 1.1, "Digests".
//!
//! An accepted digest is `sha256:` and 64, or `sha512:` and 128, lowercase
//! hexadecimal digits. The two registered algorithms are the only ones.

use std::fmt;
use std::str::FromStr;

/// A registered hash algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, which every registry must support.
    Sha256,
    /// SHA-512, which a registry may support.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits a digest of this algorithm has.
    #[must_use]
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `:`.
    #[error("a digest is an algorithm, a colon and hexadecimal digits")]
    NoColon,
    /// The algorithm is not one of the registered ones.
    #[error("the digest's algorithm is neither sha256 nor sha512")]
    Algorithm,
    /// The number of digits is not the algorithm's.
    #[error("the digest has {found} digits where its algorithm has {expected}")]
    Length {
        /// The algorithm's number of digits.
        expected: usize,
        /// The text's number of bytes after the colon.
        found: usize,
    },
    /// A byte is no lowercase hexadecimal digit.
    #[error("the digest has a character that is no lowercase hexadecimal digit")]
    Digit,
}

/// A digest, such as `sha256:e3b0…b855`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    text: Box<str>,
}

impl Digest {
    /// Parses `algorithm:hex`.
    ///
    /// # Errors
    /// The text is no digest of a registered algorithm.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let (name, hex) = text.split_once(':').ok_or(DigestError::NoColon)?;
        let algorithm = Algorithm::from_name(name).ok_or(DigestError::Algorithm)?;
        if hex.len() != algorithm.hex_len() {
            return Err(DigestError::Length {
                expected: algorithm.hex_len(),
                found: hex.len(),
            });
        }
        if !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(DigestError::Digit);
        }
        Ok(Self {
            algorithm,
            text: text.into(),
        })
    }

    /// The SHA-256 digest with these bytes.
    #[must_use]
    pub fn from_sha256(bytes: &[u8; 32]) -> Self {
        Self::from_bytes(Algorithm::Sha256, bytes)
    }

    /// The SHA-512 digest with these bytes.
    #[must_use]
    pub fn from_sha512(bytes: &[u8; 64]) -> Self {
        Self::from_bytes(Algorithm::Sha512, bytes)
    }

    fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Self {
        const DIGITS: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        let mut text = String::with_capacity(7 + algorithm.hex_len());
        text.push_str(algorithm.as_str());
        text.push(':');
        for byte in bytes {
            text.push(DIGITS[usize::from(byte >> 4)]);
            text.push(DIGITS[usize::from(byte & 15)]);
        }
        Self {
            algorithm,
            text: text.into_boxed_str(),
        }
    }

    /// The whole text, as it was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The digits after the colon.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.text[self.algorithm.as_str().len() + 1..]
    }

    /// The algorithm before the colon.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn parses_what_the_specification_registers() {
        let digest = Digest::parse(EMPTY).expect("a digest");
        assert_eq!(digest.algorithm(), Algorithm::Sha256);
        assert_eq!(digest.hex(), &EMPTY[7..]);
        assert_eq!(digest.as_str(), EMPTY);
        assert_eq!(format!("{digest} {digest:?}"), format!("{EMPTY} {EMPTY}"));
        let long = format!("sha512:{}", "0f".repeat(64));
        let digest = Digest::parse(&long).expect("a digest");
        assert_eq!(digest.algorithm().to_string(), "sha512");
        assert_eq!(digest.hex().len(), 128);
    }

    #[test]
    fn refuses_everything_else() {
        let length = |expected, found| DigestError::Length { expected, found };
        let rows = [
            (String::new(), DigestError::NoColon),
            ("latest".to_owned(), DigestError::NoColon),
            (EMPTY[7..].to_owned(), DigestError::NoColon),
            (format!("sha384:{}", &EMPTY[7..]), DigestError::Algorithm),
            (format!("SHA256:{}", &EMPTY[7..]), DigestError::Algorithm),
            (format!(":{}", &EMPTY[7..]), DigestError::Algorithm),
            ("sha256:".to_owned(), length(64, 0)),
            (EMPTY[..70].to_owned(), length(64, 63)),
            (format!("{EMPTY}0"), length(64, 65)),
            (format!("sha512:{}", &EMPTY[7..]), length(128, 64)),
            (
                EMPTY.to_uppercase().replace("SHA", "sha"),
                DigestError::Digit,
            ),
            (EMPTY.replace('e', "g"), DigestError::Digit),
            (format!("sha256:{}", "é".repeat(32)), DigestError::Digit),
            (format!("sha256:{}/", &EMPTY[8..]), DigestError::Digit),
            (format!("sha256:{}\0", &EMPTY[8..]), DigestError::Digit),
        ];
        for (text, error) in rows {
            assert_eq!(Digest::parse(&text), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_round_trip(short: [u8; 32], low: [u8; 32]) {
            let mut long = [0; 64];
            long[..32].copy_from_slice(&short);
            long[32..].copy_from_slice(&low);
            for digest in [Digest::from_sha256(&short), Digest::from_sha512(&long)] {
                prop_assert_eq!(Digest::parse(digest.as_str()), Ok(digest.clone()));
                prop_assert_eq!(digest.hex().len(), digest.algorithm().hex_len());
            }
        }

        #[test]
        fn garbage_is_refused_or_printed_as_it_was(text in "(sha(256|512):)?\\PC{0,140}") {
            if let Ok(digest) = Digest::parse(&text) {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
