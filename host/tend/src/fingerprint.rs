//! Digests in few bytes, for sets of many.

use ledge_core::digest::Digest;

/// The first 128 bits of a digest: of a billion objects no two are alike, and who could make two alike would gain
/// that an object stays, or is fetched again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(u128);

/// In hexadecimal digits.
const DIGITS: usize = 32;

impl From<&Digest> for Fingerprint {
    fn from(digest: &Digest) -> Self {
        // A digest has at least twice as many digits.
        Self(u128::from_str_radix(&digest.hex()[..DIGITS], 16).unwrap_or_default())
    }
}
