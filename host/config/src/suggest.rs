//! "Did you mean …?"

/// Longer words are no typing mistakes of ours, and the comparison costs the product of the lengths.
const LONGEST_WORD: usize = 64;

/// The candidate that `word` was probably meant to be.
///
/// One mistake (a wrong, missing, added or swapped character) is forgiven for every three
/// characters, and one in any case.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let forgiven = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= forgiven)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant() {
        let known = ["listen", "drain", "path", "url"];
        let table = [
            ("lsten", Some("listen")),
            ("litsen", Some("listen")),
            ("Listen", Some("listen")),
            ("pth", Some("path")),
            ("uri", Some("url")),
            ("drainage", None),
            ("x", None),
            ("", None),
        ];
        for (word, meant) in table {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"listen".repeat(1000), known), None);
    }
}
