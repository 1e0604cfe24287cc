//! Records that several nodes share.

use crate::Given;

fn with(lines: &str) -> Given {
    Given::file(format!("[shared.records]\n{lines}"))
}

#[test]
fn what_is_shown_reads_back_without_secrets() {
    let given = with(
        "url = [\"redis://a:1\", \"rediss://b\"]\nusername = \"me\"\npassword = \"hunter2\"\nprefix = \"x:\"",
    );
    let shown = given.shown();
    let expected = "[shared.records]\n\
         url = [\"redis://a:1\", \"rediss://b\"] # FILE:2\n\
         username = \"me\" # FILE:3\n\
         password = \"***\" # FILE:4\n\
         prefix = \"x:\" # FILE:5\n";
    assert!(shown.contains(expected), "{shown}");
    let records = with("url = \"redis://a\"").loaded().shared_records;
    let records = records.expect("given");
    assert_eq!(
        (records.url.value, records.prefix.value.as_str()),
        (vec!["redis://a".to_owned()], "ledge:")
    );
    assert!(Given::nothing().loaded().shared_records.is_none());
}

#[test]
fn what_is_wrong_is_told_without_secrets() {
    let rows = [
        ("", "FILE:1:9: shared.records: it has no url"),
        (
            "url = \"redis://me:hunter2@a\"",
            "FILE:2:7: shared.records.url: the URL holds a user name or a password\n  \
             hint: put them under username and password",
        ),
        ("url = []", "FILE:2:7: shared.records.url: it is empty"),
        (
            "url = \"redis://a\"\nprefix = \"\"",
            "FILE:3:10: shared.records.prefix: it is empty",
        ),
        (
            "url = \"redis://a\"\nurll = 1",
            "FILE:3:1: shared.records.urll: there is no such setting\n  hint: did you mean url?",
        ),
    ];
    for (lines, said) in rows {
        assert_eq!(with(lines).refused(), said, "of:\n{lines}");
    }
    let hidden = with("url = \"hunter2:hunter2@\\u0000\"").refused();
    assert!(!hidden.contains("hunter2"), "{hidden}");
}
