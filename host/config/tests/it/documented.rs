//! `docs/configuration.md` says what the code does.

use crate::Given;

const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// The page's first block of TOML holds every setting with its default.
#[test]
fn the_page_shows_the_defaults() {
    let (_, after) = PAGE.split_once("```toml\n").expect("a block of TOML");
    let (block, _) = after.split_once("```").expect("its end");
    let defaults = Given::nothing().shown();
    let given = Given::file(block);
    let shown = given.shown();
    assert_eq!(settings(&shown), settings(&defaults));
    // Nothing is left out.
    for line in settings(&defaults) {
        let key = line.split(" = ").next().expect("a key");
        assert!(block.contains(key), "{key} is missing from the page");
    }
}

/// Sections and values, without comments.
fn settings(shown: &str) -> Vec<&str> {
    shown
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.rsplit_once(" # ").map_or(line, |(value, _)| value))
        .collect()
}
