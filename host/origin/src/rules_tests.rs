//! Who may be asked, as tables.

use super::*;

fn target(uri: &str) -> Target {
    Target::of(&uri.parse().expect(uri)).expect(uri)
}

fn upstream(name: &str, endpoints: &[&str], trusted: &[&str]) -> UpstreamEgress {
    UpstreamEgress {
        name: name.to_owned(),
        endpoints: endpoints.iter().map(|e| e.parse().expect(e)).collect(),
        trusted_hosts: trusted.iter().map(ToString::to_string).collect(),
    }
}

fn parse(upstreams: Vec<UpstreamEgress>) -> Result<Rules, RuleError> {
    Rules::parse(EgressRules::new(upstreams))
}

fn rules() -> Rules {
    parse(vec![
        upstream("hub", &["https://hub.example"], &["minio.lan:9000"]),
        upstream(
            "lab",
            &["http://10.1.2.3:5000", "https://lab.example"],
            &["10.9.9.9"],
        ),
        upstream("own", &["https://registry.lan"], &["registry.lan"]),
    ])
    .expect("rules")
}

const NOT_CONFIGURED: Result<Reach, DenyReason> = Err(DenyReason::NotConfigured);
const PRIVATE: Result<Reach, DenyReason> = Err(DenyReason::PrivateAddress);
const PLAIN: Result<Reach, DenyReason> = Err(DenyReason::PlainHttp);

#[test]
fn first_requests() {
    let rules = rules();
    for (uri, expected) in [
        ("https://hub.example/v2/", Ok(Reach::Public)),
        ("https://HUB.example:443/v2/", Ok(Reach::Public)),
        ("https://hub.example:444/v2/", NOT_CONFIGURED),
        ("http://hub.example/v2/", NOT_CONFIGURED),
        ("https://hub.example./v2/", NOT_CONFIGURED),
        ("https://evil.example/v2/", NOT_CONFIGURED),
        ("http://10.1.2.3:5000/v2/", Ok(Reach::Any)),
        ("https://10.1.2.3:5000/v2/", NOT_CONFIGURED),
        ("http://10.1.2.3/v2/", NOT_CONFIGURED),
        ("https://lab.example/", Ok(Reach::Public)),
        ("https://registry.lan/", Ok(Reach::Any)),
        ("https://minio.lan:9000/", Ok(Reach::Any)),
        ("http://minio.lan:9000/", PLAIN),
        ("http://10.9.9.9:1/", Ok(Reach::Any)),
        ("http://127.0.0.1/", NOT_CONFIGURED),
    ] {
        let reach = rules.begin(target(uri)).map(|leg| leg.reach);
        assert_eq!(reach, expected, "{uri}");
    }
}

#[test]
fn redirects() {
    let rules = rules();
    for (from, to, expected) in [
        (
            "https://hub.example",
            "https://cdn.example/",
            Ok(Reach::Public),
        ),
        ("https://hub.example", "http://cdn.example/", PLAIN),
        ("https://hub.example", "https://127.0.0.1/", PRIVATE),
        ("https://hub.example", "https://[::1]/", PRIVATE),
        ("https://hub.example", "https://[::ffff:10.0.0.1]/", PRIVATE),
        (
            "https://hub.example",
            "https://169.254.169.254/latest",
            PRIVATE,
        ),
        ("https://hub.example", "https://8.8.8.8/", Ok(Reach::Public)),
        // The resolver looks at what this becomes.
        (
            "https://hub.example",
            "https://localhost/",
            Ok(Reach::Public),
        ),
        (
            "https://hub.example",
            "https://minio.lan:9000/",
            Ok(Reach::Any),
        ),
        (
            "https://hub.example",
            "https://minio.lan/",
            Ok(Reach::Public),
        ),
        // Another upstream's own address is none of its business.
        ("https://hub.example", "https://10.1.2.3:5000/", PRIVATE),
        (
            "http://10.1.2.3:5000",
            "http://10.1.2.3:5000/x",
            Ok(Reach::Any),
        ),
        ("http://10.1.2.3:5000", "http://10.1.2.3:22/", PRIVATE),
        ("http://10.1.2.3:5000", "http://10.9.9.9/", Ok(Reach::Any)),
        (
            "http://10.1.2.3:5000",
            "http://cdn.example/",
            Ok(Reach::Public),
        ),
        (
            "http://10.1.2.3:5000",
            "https://cdn.example/",
            Ok(Reach::Public),
        ),
    ] {
        let leg = rules.begin(target(from)).expect(from);
        let reach = rules.redirect(&leg, target(to)).map(|leg| leg.reach);
        assert_eq!(reach, expected, "{from} to {to}");
    }
}

#[test]
fn realms() {
    for (from, realm, expected) in [
        (
            "https://hub.example",
            "https://auth.example/token",
            Ok(Reach::Public),
        ),
        (
            "https://hub.example",
            "http://auth.example/token",
            NOT_CONFIGURED,
        ),
        ("https://hub.example", "https://127.0.0.1/token", PRIVATE),
        ("https://hub.example", "https://10.1.2.3/token", PRIVATE),
        (
            "http://10.1.2.3:5000",
            "http://10.1.2.3:5001/token",
            Ok(Reach::Any),
        ),
        (
            "http://10.1.2.3:5000",
            "http://10.1.2.4:5001/token",
            PRIVATE,
        ),
        (
            "http://10.1.2.3:5000",
            "http://auth.example/token",
            Ok(Reach::Public),
        ),
    ] {
        let rules = rules();
        assert_eq!(rules.begin(target(realm)), Err(DenyReason::NotConfigured));
        let leg = rules.begin(target(from)).expect(from);
        rules.learn(&leg, &target(realm));
        let reach = rules.begin(target(realm)).map(|leg| leg.reach);
        assert_eq!(reach, expected, "{from} names {realm}");
    }
}

#[test]
fn a_token_service_is_not_believed() {
    let rules = rules();
    let hub = rules.begin(target("https://hub.example")).expect("hub");
    rules.learn(&hub, &target("https://auth.example"));
    let auth = rules.begin(target("https://auth.example")).expect("auth");
    rules.learn(&auth, &target("https://evil.example"));
    let evil = rules.begin(target("https://evil.example"));
    assert_eq!(evil, Err(DenyReason::NotConfigured));
}

#[test]
fn the_memory_of_realms_is_bounded() {
    let rules = rules();
    let hub = rules.begin(target("https://hub.example")).expect("hub");
    for index in 0..1000 {
        rules.learn(&hub, &target(&format!("https://auth{index}.example")));
    }
    assert!(rules.begin(target("https://auth999.example")).is_ok());
    assert!(rules.begin(target("https://auth0.example")).is_err());
    let remembered = rules.upstreams[0].realms.lock().expect("no panic").len();
    assert_eq!(remembered, MAX_REALMS);
}

#[test]
fn wrong_configuration_is_refused_in_words() {
    for (endpoints, trusted, text) in [
        (
            ["ftp://a"],
            "a",
            "upstream x: an endpoint cannot be used: the URL is not http or https",
        ),
        (
            ["https://u:secret@a"],
            "a",
            "upstream x: an endpoint cannot be used: the URL holds a user name",
        ),
        (
            ["https://a"],
            "https://b",
            r#"upstream x: trusted host "https://b" is not host or host:port"#,
        ),
    ] {
        let error = parse(vec![upstream("x", &endpoints, &[trusted])]);
        assert_eq!(error.expect_err(text).to_string(), text);
    }
}
