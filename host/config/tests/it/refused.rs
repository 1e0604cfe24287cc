use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

use crate::Given;

mod store;
mod table;

/// Each row: a file, and what is said of it.
#[test]
fn words_of_refusal() {
    for (file, said) in table::TABLE.iter().chain(store::TABLE) {
        assert_eq!(Given::file(file).refused(), *said, "of:\n{file}");
    }
}

#[test]
fn all_problems_are_told_at_once_from_top_to_bottom() {
    let given = Given::file(
        "[log]\nfilter = \"loud\"\n[server]\nlisten = \"x\"\nnonsense = 1\n[limits]\nrequests = 0\n",
    )
    .variable("LEDGE_STORE_MEMORY", "much");
    let refused = given.refused();
    let places: Vec<&str> = refused
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(": ").next())
        .collect();
    let expected = [
        "FILE:2:10",
        "FILE:4:10",
        "FILE:5:1",
        "FILE:7:12",
        "environment LEDGE_STORE_MEMORY",
    ];
    assert_eq!(places, expected);
}

#[test]
fn files_that_are_none() {
    assert_eq!(
        Given::file([0xff, 0xfe]).refused(),
        "FILE: it is not UTF-8 text"
    );
    let long = "#".repeat(1024 * 1024 + 1);
    assert_eq!(
        Given::file(long).refused(),
        "FILE: the file is longer than 1048576 bytes"
    );
    let mut given = Given::nothing();
    given.flags.config = Some(given.directory.path().to_path_buf());
    let said = given.refused();
    assert!(
        said.ends_with(": the file cannot be read: Is a directory (os error 21)"),
        "{said}"
    );
}

#[test]
fn what_is_quoted_is_cut_and_on_one_line() {
    let file = format!("[server]\nlisten = \"{}\"", "\\u001b[31m".repeat(1000));
    let refused = Given::file(file).refused();
    assert!(refused.len() < 600, "{refused}");
    assert!(!refused.contains('\u{1b}'), "{refused}");
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Given::file(deep).load().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn garbage_never_panics(text in any::<String>()) {
        let _ = Given::file(text).load();
    }

    /// Garbage where values and keys stand, so that it reaches the parsers behind TOML's own.
    #[test]
    fn garbage_in_its_place_never_panics(
        section in "server|store|limits|transfer|log|rules|upstreams|upstreams.\"a\"|x",
        key in "[a-z_]{1,8}|listen|drain|path|memory|bandwidth|abandoned|prefetch|ranges|leftovers|filter|url|endpoints|aliases|password|fresh|freshness|client_no_cache|negative|password_file|password_env|token|token_env|docker_config|credential_helper|ca_file|client_key|proxy|no_proxy",
        value in any::<String>(),
        list in any::<bool>(),
    ) {
        let value = toml_string(&value);
        let value = if list { format!("[{value}]") } else { value };
        let _ = Given::file(format!("[{section}]\n{key} = {value}\n")).load();
    }

    #[test]
    fn a_password_is_never_repeated(before in "[ -~]{0,20}", broken in any::<bool>()) {
        let end = if broken { "" } else { "\"" };
        let text = format!(
            "{before}\n[upstreams.\"a\"]\nusername = \"u\"\npassword = \"hunter2{end}\nurl = 5\n"
        );
        if let Err(problems) = Given::file(text).load() {
            let (printed, debugged) = (problems.to_string(), format!("{problems:?}"));
            prop_assert!(!printed.contains("hunter2"), "{}", printed);
            prop_assert!(!debugged.contains("hunter2"), "{}", debugged);
        }
    }
}

/// A basic string of TOML (1.0.0, "String").
fn toml_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| format!("\\U{:08X}", u32::from(c)))
        .collect();
    format!("\"{escaped}\"")
}
