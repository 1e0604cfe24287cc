//! Where an object stands in a store: as in the other host's local store and buckets, so that one
//! can be copied over the other, and one bucket serves both.

use ledge_core::digest::Digest;

/// `blobs/sha256/ab/abcd…`
pub(crate) fn object(digest: &Digest) -> String {
    let (algorithm, hex) = (digest.algorithm().as_str(), digest.hex());
    let shard = hex.get(..2).unwrap_or(hex);
    format!("blobs/{algorithm}/{shard}/{hex}")
}

/// `partial/sha256-abcd….NAME`: an object on its way in, until it is moved.
pub(crate) fn partial(digest: &Digest, name: &str) -> String {
    let (algorithm, hex) = (digest.algorithm().as_str(), digest.hex());
    format!("partial/{algorithm}-{hex}.{name}")
}

/// What stands before all names: without slashes at its ends, and of characters that stand in a
/// URL as they are. `None` if it has others, or is no path.
pub(crate) fn prefix(text: &str) -> Option<String> {
    let text = text.trim_matches('/');
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/');
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    let is_path = text.is_empty() || text.split('/').all(is_part);
    (is_path && text.bytes().all(is_plain)).then(|| text.to_owned())
}

/// A name below a prefix.
pub(crate) fn below(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_objects_as_the_other_host_does() {
        let digest = Digest::parse(&format!("sha256:ab{}", "0".repeat(62))).expect("a digest");
        let hex = digest.hex();
        assert_eq!(object(&digest), format!("blobs/sha256/ab/{hex}"));
        assert_eq!(partial(&digest, "7"), format!("partial/sha256-{hex}.7"));
        assert_eq!(below("", "a"), "a");
        assert_eq!(below("x/y", "a"), "x/y/a");
    }

    #[test]
    fn a_prefix_is_a_plain_path() {
        for (text, expected) in [
            ("", Some("")),
            ("/", Some("")),
            ("a", Some("a")),
            ("/a/b-c_d.e/", Some("a/b-c_d.e")),
            ("a//b", None),
            ("a/../b", None),
            (".", None),
            ("a b", None),
            ("ä", None),
            ("a?b", None),
            ("a%2fb", None),
        ] {
            assert_eq!(prefix(text).as_deref(), expected, "{text:?}");
        }
    }
}
