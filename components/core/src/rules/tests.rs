use super::*;
use crate::config::Registry;
use proptest::prelude::*;

/// The upstreams `a` (also `alias`) and `b`, with these rules.
fn upstreams(rules: &str) -> Upstreams {
    let json = format!(
        r#"{{"upstreams":[{{"name":"a","aliases":["alias"],"endpoints":["https://a"]}},
            {{"name":"b","endpoints":["https://b"]}}],"rules":[{rules}]}}"#
    );
    Registry::parse(&json).expect(&json)
}

/// What is decided: `+` or `-`, and the rule's name.
fn decide(rules: &str, (upstream, repository, tag, platform): Asked<'_>) -> String {
    let upstreams = upstreams(rules);
    let platform = platform.map(|platform| {
        let (os, arch) = platform.split_once('/').expect("a platform");
        Platform::new(os, arch, None).expect("a platform")
    });
    let tag = tag.map(|tag| Tag::parse(tag).expect(tag));
    let subject = Subject {
        upstream: upstreams.find(upstream).expect(upstream),
        repository: &RepositoryName::parse(repository).expect(repository),
        tag: tag.as_ref(),
        platform: platform.as_ref(),
    };
    match upstreams.rules().decide(&subject) {
        Decision::Allowed(None) => "+".to_owned(),
        Decision::Allowed(Some(name)) => format!("+{name}"),
        Decision::Denied(name) => format!("-{name}"),
    }
}

type Asked<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

#[test]
fn with_no_rule_all_may() {
    assert_eq!(decide("", ("a", "x", Some("1"), Some("linux/arm"))), "+");
    assert!(!upstreams("").rules().name_platforms());
}

#[test]
fn the_first_that_matches_counts() {
    let rules = r#"
        {"name":"base","action":"allow","upstream":"alias","repository":"library/*"},
        {"name":"no latest","action":"deny","tag":"latest"},
        {"name":"ours","action":"allow","repository":"team/**"},
        {"name":"no rest of a","action":"deny","upstream":"a"}"#;
    let rows: [(Asked<'_>, &str); 8] = [
        (("a", "library/x", Some("latest"), None), "+base"),
        (("alias", "library/x", Some("latest"), None), "+base"),
        (("b", "library/x", Some("latest"), None), "-no latest"),
        (("b", "library/x", Some("3"), None), "+"),
        (("a", "team/x/y", Some("latest"), None), "-no latest"),
        (("a", "team/x/y", Some("3"), None), "+ours"),
        (("a", "x", Some("3"), None), "-no rest of a"),
        (("a", "x", None, None), "-no rest of a"),
    ];
    for (asked, expected) in rows {
        assert_eq!(decide(rules, asked), expected, "{asked:?}");
    }
}

#[test]
fn a_digest_is_refused_only_by_rules_that_name_no_tag() {
    let denied = r#"{"name":"no latest","action":"deny","tag":"latest"}"#;
    assert_eq!(decide(denied, ("a", "x", None, None)), "+");
    let allowed =
        r#"{"name":"releases","action":"allow","tag":"v*"},{"name":"rest","action":"deny"}"#;
    assert_eq!(decide(allowed, ("a", "x", None, None)), "+releases");
    assert_eq!(decide(allowed, ("a", "x", Some("v1"), None)), "+releases");
    assert_eq!(decide(allowed, ("a", "x", Some("w1"), None)), "-rest");
}

#[test]
fn platforms_are_decided_where_an_index_lists_them() {
    let rules = r#"
        {"name":"amd64","action":"allow","platform":"linux/amd64"},
        {"name":"other platforms","action":"deny"}"#;
    assert!(upstreams(rules).rules().name_platforms());
    let rows = [
        (None, "+amd64"),
        (Some("linux/amd64"), "+amd64"),
        (Some("linux/arm64"), "-other platforms"),
    ];
    for (platform, expected) in rows {
        assert_eq!(decide(rules, ("a", "x", Some("1"), platform)), expected);
    }
    let rules = r#"{"name":"no windows","action":"deny","platform":"windows/*"}"#;
    assert_eq!(decide(rules, ("a", "x", None, None)), "+");
    assert_eq!(decide(rules, ("a", "x", None, Some("linux/amd64"))), "+");
    assert_eq!(
        decide(rules, ("a", "x", None, Some("windows/amd64"))),
        "-no windows"
    );
}

#[test]
fn a_denial_names_its_rule() {
    let rule = RuleName::parse("no latest").expect("a name");
    let refusal = Decision::Denied(&rule).refusal().expect("a refusal");
    assert_eq!(refusal.kind(), ErrorKind::Denied);
    assert_eq!(
        refusal.to_string(),
        "DENIED: the rule \"no latest\" denies this"
    );
    assert_eq!(Decision::Allowed(Some(&rule)).refusal(), None);
}

#[test]
fn a_rule_is_about_an_upstream_that_exists() {
    let json = r#"{"rules":[{"name":"x","action":"deny","upstream":"c"}]}"#;
    let error = Registry::parse(json).expect_err("a refusal");
    assert_eq!(
        error.to_string(),
        "rule \"x\" is about upstream \"c\", which is not configured"
    );
}

#[test]
fn reads_names() {
    let long = "a".repeat(64);
    for text in ["a", "no latest", "team/x: y-1.0_z", &long] {
        assert_eq!(RuleName::parse(text).expect(text).as_str(), text);
    }
    for text in [
        "",
        " ",
        " a",
        "a ",
        "a\"b",
        "a\nb",
        "é",
        &format!("{long}a"),
    ] {
        assert_eq!(RuleName::parse(text), Err(RuleNameError), "{text:?}");
    }
}

/// A rule that may name a repository, a tag and a platform.
fn rule() -> impl Strategy<Value = String> {
    let some = |key: &'static str, pattern: &'static str| {
        prop_oneof![
            Just(String::new()),
            pattern.prop_map(move |p: String| format!(r#","{key}":"{p}""#))
        ]
    };
    let parts = (
        prop_oneof![Just("allow"), Just("deny")],
        some("repository", "[xy*]"),
        some("tag", "[12*]"),
        some("platform", "(os|\\*)/[ab*]"),
    );
    parts.prop_map(|(action, repository, tag, platform)| {
        format!(r#"{{"name":"r","action":"{action}"{repository}{tag}{platform}}}"#)
    })
}

proptest! {
    /// Who is refused before all is known would be refused when it is.
    #[test]
    fn what_is_not_known_refuses_nobody(rules in proptest::collection::vec(rule(), 0..6)) {
        let rules = rules.join(",");
        let refused = |tag, platform| decide(&rules, ("a", "x", tag, platform)).starts_with('-');
        let (tags, platforms) = ([Some("1"), Some("2")], [Some("os/a"), Some("os/b")]);
        for tag in tags {
            let all = platforms.iter().all(|platform| refused(tag, *platform));
            prop_assert!(!refused(tag, None) || all, "{}", rules);
        }
        for platform in platforms {
            let all = tags.iter().all(|tag| refused(*tag, platform));
            prop_assert!(!refused(None, platform) || all, "{}", rules);
        }
    }
}
