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

/// What the page shows can be written so.
#[test]
fn every_example_is_taken() {
    let blocks: Vec<&str> = PAGE
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(blocks.len() >= 4, "{blocks:?}");
    for block in blocks {
        assert!(
            Given::file(block).load().is_ok(),
            "{}",
            Given::file(block).refused()
        );
    }
}

/// Each has a row in the page's table, and who writes it into another section is told where it belongs.
#[test]
fn every_setting_has_a_row_and_is_known_elsewhere() {
    let shown = Given::nothing().shown();
    let names = names(&shown);
    assert!(names.contains(&("log", "filter")), "{names:?}");
    for (section, key) in names {
        let row = format!("| `{section}.{key}` | `LEDGE_");
        assert!(PAGE.contains(&row), "{row} is missing from the page");
        let elsewhere = if section == "store" { "log" } else { "store" };
        let said = Given::file(format!("[{elsewhere}]\n{key} = 1")).refused();
        let hint = format!("hint: {key} belongs in [{section}]");
        assert!(said.ends_with(&hint), "{said}");
    }
}

/// Section and key of each setting that stands in a section, without the upstreams.
fn names(shown: &str) -> Vec<(&str, &str)> {
    let (settings, _) = shown.split_once("[upstreams.").expect("upstreams");
    settings
        .split("\n[")
        .skip(1)
        .filter_map(|section| section.split_once("]\n"))
        .flat_map(|(section, lines)| {
            let keys = lines.lines().filter_map(|line| line.split_once(" = "));
            keys.map(move |(key, _)| (section, key))
        })
        .collect()
}

/// Sections and values, without comments.
fn settings(shown: &str) -> Vec<&str> {
    shown
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.rsplit_once(" # ").map_or(line, |(value, _)| value))
        .collect()
}
