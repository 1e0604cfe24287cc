//! Digests as the OCI image specification writes them.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256, Sha512};

/// `sha256:` and the hash of `bytes` in lowercase hexadecimal digits.
#[must_use]
pub fn of(bytes: &[u8]) -> String {
    named("sha256", &Sha256::digest(bytes))
}

/// `sha512:` and that hash of `bytes`.
#[must_use]
pub fn of_512(bytes: &[u8]) -> String {
    named("sha512", &Sha512::digest(bytes))
}

/// Hashes a stream piece by piece.
#[derive(Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything that was added.
    #[must_use]
    pub fn finish(self) -> String {
        named("sha256", &self.0.finalize())
    }
}

/// The digest of this algorithm and hash.
pub(crate) fn named(algorithm: &str, hash: &[u8]) -> String {
    let mut text = format!("{algorithm}:");
    for byte in hash {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_empty_object_has_the_digest_that_the_standard_gives() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(super::of(b""), empty);
        assert_eq!(super::Hasher::default().finish(), empty);
        let long = super::of_512(b"");
        assert!(long.starts_with("sha512:cf83e1357eefb8bd"), "{long}");
        assert_eq!(long.len(), "sha512:".len() + 128);
    }
}
