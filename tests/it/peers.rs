//! What goes wrong in other mirrors, and which tests show that it does not here. A test that shows
//! a line of the table says so in its documentation: `PEERS 3`, or `PEERS 3 and 4`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Complaints in the trackers of mirrors, by number.
const LINES: [(u32, &str); 22] = [
    (
        1,
        "many clients pull one cold image: many fetches from the origin",
    ),
    (
        2,
        "the whole image is fetched before the first byte is answered",
    ),
    (
        3,
        "the client that started a miss hangs up, and the fill dies",
    ),
    (
        4,
        "a range of what is not stored: refused, or the whole first",
    ),
    (5, "a truncated or tampered blob is cached and served"),
    (6, "eviction deletes blobs that a live manifest shares"),
    (7, "no limit by size: the disk fills"),
    (8, "one upstream a mirror; `ns` ignored"),
    (9, "a private image, once cached, is served to everyone"),
    (10, "the origin fails, and the cached copy is not served"),
    (11, "every pull of a fresh tag asks the origin"),
    (12, "manifests are rewritten, and their digests change"),
    (13, "all platforms are fetched when one was asked for"),
    (14, "a HEAD costs a full fetch"),
    (15, "five requests for each blob in a bucket"),
    (16, "credentials: expiry not noticed, no rotation"),
    (17, "chained mirrors break because one HEADs first"),
    (18, "a HEAD of 200 and then a 404 by digest loops clients"),
    (19, "nothing says what is cached, and why a request missed"),
    (20, "a cached tag is pinned for ever, or never"),
    (21, "the origin's errors of access turn into 500"),
    (22, "`ns` is dialled as given"),
];

/// Those that nothing shows yet: what they are about is not built.
const OPEN: [u32; 1] = [19];

/// In which folders there are tests.
const FOLDERS: [&str; 3] = ["tests/it", "host", "components"];

#[test]
fn every_line_has_a_test() -> Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let top = top.context("the tests' folder has a parent")?;
    let mut named: BTreeMap<u32, usize> = BTreeMap::new();
    let mut files = Vec::new();
    for folder in FOLDERS {
        sources(&top.join(folder), &mut files)?;
    }
    assert!(files.len() > 50, "only {} sources were found", files.len());
    for file in files {
        for number in numbers(&fs::read_to_string(&file)?) {
            let known = LINES.iter().any(|(line, _)| *line == number);
            assert!(known, "{}: there is no line {number}", file.display());
            *named.entry(number).or_default() += 1;
        }
    }
    for (number, complaint) in LINES {
        let is_shown = named.contains_key(&number);
        assert_ne!(is_shown, OPEN.contains(&number), "{number}: {complaint}");
    }
    Ok(())
}

/// The lines that a file's tests name in their documentation.
fn numbers(text: &str) -> Vec<u32> {
    let (mut found, mut documentation) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim_start) {
        if let Some(words) = line.strip_prefix("/// ") {
            documentation.extend(words.split(' '));
            continue;
        }
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            let mut words = documentation.iter();
            while words.by_ref().any(|word| *word == "PEERS") {
                found.extend(words.clone().map_while(|word| number(word)).flatten());
            }
        }
        if !line.starts_with("#[") {
            documentation.clear();
        }
    }
    found
}

/// `Some(None)` for the words between two numbers, `None` where a list of them ends.
fn number(word: &str) -> Option<Option<u32>> {
    match word.trim_end_matches([',', '.', ':', ';']) {
        "and" => Some(None),
        word => Some(Some(word.parse().ok()?)),
    }
}

/// The Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn numbers_are_read_from_the_documentation_of_tests_alone() {
    let text = "/// PEERS 1, 2 and 13: a 4.\n#[tokio::test]\nasync fn a() {}\n\
                /// PEERS 5.\nfn b() {}\n    /// Of\n    /// PEERS 16.\n    #[test]\nfn c() {}\n\
                // PEERS 7\n#[test]\nfn d() {}\n";
    assert_eq!(numbers(text), [1, 2, 13, 16]);
}
