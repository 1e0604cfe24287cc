//! What several nodes share.

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
    let records = with("url = \"redis://a\"").loaded().shared.records;
    let records = records.expect("given");
    assert_eq!(
        (records.url.value, records.prefix.value.as_str()),
        (vec!["redis://a".to_owned()], "ledge:")
    );
    assert!(Given::nothing().loaded().shared.records.is_none());
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

#[test]
fn objects_are_shown_without_secrets() {
    let given = Given::file(
        "[shared]\nadvertise = \"http://10.0.0.5:5000\"\n[shared.objects]\nurl = \"s3://images/edge\"\n\
         endpoint = \"http://minio.lan:9000\"\nregion = \"eu\"\nusername = \"key\"\npassword = \"hunter2\"",
    );
    let expected = "[shared]\n\
         advertise = \"http://10.0.0.5:5000\" # FILE:2\n\
         \n\
         [shared.objects]\n\
         url = \"s3://images/edge\" # FILE:4\n\
         endpoint = \"http://minio.lan:9000\" # FILE:5\n\
         region = \"eu\" # FILE:6\n\
         username = \"key\" # FILE:7\n\
         password = \"***\" # FILE:8\n";
    let shown = given.shown();
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn each_node_may_be_told_its_own_address() {
    let given = Given::file("[shared]\nadvertise = \"http://a\"");
    let given = given.variable("LEDGE_SHARED_ADVERTISE", "http://b:5000");
    let advertise = given.loaded().shared.advertise.expect("given");
    assert_eq!(advertise.value.to_string(), "http://b:5000");
}

#[test]
fn buckets_that_are_none_are_told() {
    let rows = [
        ("", "FILE:1:9: shared.objects: it has no url"),
        (
            "url = \"http://a/b\"",
            "FILE:2:7: shared.objects.url: \"http://a/b\" starts with none of s3://, gs:// and az://\n  \
             hint: write service, bucket and perhaps a prefix, as in \"s3://images/edge\"",
        ),
        (
            "url = \"s3://key:hunter2@a\"",
            "FILE:2:7: shared.objects.url: the URL holds a user name or a password\n  \
             hint: put them under username and password",
        ),
        (
            "url = \"s3://a\"\nendpoint = \"http://a/b\"",
            "FILE:3:12: shared.objects.endpoint: the URL holds a path, a query or a fragment\n  \
             hint: write scheme, host and port alone, as in \"https://registry.example:5000\"",
        ),
    ];
    for (lines, said) in rows {
        let refused = Given::file(format!("[shared.objects]\n{lines}")).refused();
        assert_eq!(refused, said, "of:\n{lines}");
    }
}
