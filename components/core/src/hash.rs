//! The hash that a digest names: FIPS 180-4.

use crate::digest::{Algorithm, Digest};
use sha2::{Digest as _, Sha256, Sha512};

/// Hashes bytes as they pass, with the algorithm that a digest names.
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Of no bytes yet.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of what came so far. More may come.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self.0.clone() {
            State::Sha256(hash) => Digest::from_sha256(&hash.finalize().into()),
            State::Sha512(hash) => Digest::from_sha512(&hash.finalize().into()),
        }
    }
}

/// The digest of bytes that are all there.
#[must_use]
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-4's examples: "abc".
    const SHORT: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const LONG: &str = "sha512:ddaf35a193617abacc417349ae204131";

    #[test]
    fn hashes_as_the_standard_says() {
        assert_eq!(digest(Algorithm::Sha256, b"abc").as_str(), SHORT);
        assert!(digest(Algorithm::Sha512, b"abc").as_str().starts_with(LONG));
    }

    #[test]
    fn pieces_are_as_good_as_the_whole_and_more_may_come() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for piece in [&b"a"[..], b"", b"bc"] {
            hasher.update(piece);
        }
        assert_eq!(hasher.digest().as_str(), SHORT);
        hasher.update(b"d");
        assert_eq!(hasher.digest(), digest(Algorithm::Sha256, b"abcd"));
    }
}
