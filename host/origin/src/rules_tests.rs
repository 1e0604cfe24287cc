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
        let reach = rules.begin(target(uri)).map(|leg| leg.line.reach);
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
        let reach = rules.redirect(&leg, target(to)).map(|leg| leg.line.reach);
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
        let reach = rules.begin(target(realm)).map(|leg| leg.line.reach);
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

fn identity() -> crate::Identity {
    let pair = rcgen::generate_simple_self_signed(vec!["edge.example".to_owned()]);
    let rcgen::CertifiedKey { cert, signing_key } = pair.expect("a pair");
    let section = |label, der: &[u8]| {
        let body = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let certificate = section("CERTIFICATE", cert.der());
    let both = certificate + &section("PRIVATE KEY", &signing_key.serialize_der());
    let pem = crate::Pem {
        file: "both.pem",
        bytes: both.as_bytes(),
    };
    crate::Identity::from_pem(pem, pem).expect("an identity")
}

fn connected() -> Rules {
    let identified = Connection {
        identity: Some(identity()),
        ..Connection::default()
    };
    let proxied = Connection {
        proxy: Some(Proxy::parse("proxy.lan", "direct.example").expect("a proxy")),
        ..Connection::default()
    };
    let plain = Connection::default();
    let upstreams = vec![
        (
            upstream("plain", &["https://plain.example"], &[]),
            plain.clone(),
        ),
        (
            upstream(
                "ours",
                &["https://ours.example"],
                &["store.lan", "both.lan"],
            ),
            identified,
        ),
        (
            upstream("far", &["https://far.example"], &["both.lan", "far.lan"]),
            proxied,
        ),
        (upstream("other", &["https://other.example"], &[]), plain),
    ];
    Rules::parse(EgressRules::with_connections(upstreams)).expect("rules")
}

/// Which connections, and whether with the certificate.
fn line(leg: &Leg) -> (usize, bool) {
    (leg.line.connection, leg.line.identified)
}

#[test]
fn equal_settings_share_their_connections() {
    let rules = connected();
    assert_eq!(rules.connections().len(), 3);
    for (uri, expected) in [
        ("https://plain.example", (0, false)),
        ("https://ours.example", (1, true)),
        ("https://far.example", (2, false)),
        ("https://other.example", (0, false)),
        ("https://store.lan", (1, true)),
        ("https://far.lan", (2, false)),
        // Trusted by two: the first.
        ("https://both.lan", (1, true)),
    ] {
        let leg = rules.begin(target(uri)).expect(uri);
        assert_eq!(line(&leg), expected, "{uri}");
    }
}

#[test]
fn redirects_keep_the_settings_and_show_the_certificate_to_the_named() {
    let rules = connected();
    for (from, to, expected) in [
        ("https://ours.example", "https://ours.example/x", (1, true)),
        (
            "https://ours.example",
            "https://ours.example:444/",
            (1, false),
        ),
        ("https://ours.example", "https://store.lan:9000/", (1, true)),
        ("https://ours.example", "https://cdn.example/", (1, false)),
        // Those of another upstream are strangers.
        ("https://ours.example", "https://far.lan/", (1, false)),
        ("https://plain.example", "https://ours.example/", (0, false)),
        ("https://far.example", "https://both.lan/", (2, false)),
        ("https://far.example", "https://cdn.example/", (2, false)),
    ] {
        let leg = rules.begin(target(from)).expect(from);
        let leg = rules.redirect(&leg, target(to)).expect(to);
        assert_eq!(line(&leg), expected, "{from} to {to}");
    }
    // Back at the endpoint, it is shown again.
    let leg = rules.begin(target("https://ours.example")).expect("ours");
    let away = rules.redirect(&leg, target("https://cdn.example"));
    let back = rules.redirect(&away.expect("away"), target("https://ours.example"));
    assert_eq!(line(&back.expect("back")), (1, true));
}

#[test]
fn realms_have_the_settings_of_who_named_them_without_the_certificate() {
    let rules = connected();
    let auth = "https://auth.example";
    for (from, expected) in [
        ("https://far.example", (2, false)),
        // Both named it now: the first in the configuration.
        ("https://ours.example", (1, false)),
    ] {
        let leg = rules.begin(target(from)).expect(from);
        rules.learn(&leg, &target(auth));
        let leg = rules.begin(target(auth)).expect(auth);
        assert_eq!(line(&leg), expected, "{from}");
    }
}

#[test]
fn with_a_proxy_names_are_judged_by_their_form() {
    let rules = connected();
    let far = rules.begin(target("https://far.example")).expect("far");
    let ours = rules.begin(target("https://ours.example")).expect("ours");
    for (uri, proxied) in [
        ("https://localhost/", PRIVATE),
        ("https://0x7f000001/", PRIVATE),
        ("https://10.1.2.3/", PRIVATE),
        ("https://cdn.example/", Ok(Reach::Public)),
        ("https://far.lan/", Ok(Reach::Any)),
    ] {
        let leg = rules.redirect(&far, target(uri));
        assert_eq!(leg.map(|leg| leg.line.reach), proxied, "{uri}");
    }
    // Without, the resolver looks.
    assert!(rules.redirect(&ours, target("https://localhost/")).is_ok());
    assert!(rules.proxy(&far).is_some() && rules.proxy(&ours).is_none());
    let direct = rules.redirect(&far, target("https://direct.example/"));
    assert!(rules.proxy(&direct.expect("direct")).is_none());
}
