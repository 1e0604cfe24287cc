use super::*;
use crate::config::Registry;
use crate::error::ApiError;

const CONFIG: &str = r#"{"default_upstream":"docker.io","upstreams":[
    {"name":"docker.io","aliases":["index.docker.io"],"endpoints":["https://registry-1.docker.io"],"official_prefix":"library"},
    {"name":"ghcr.io","endpoints":["https://ghcr.io"],"credentials":{"variable":"v"}},
    {"name":"localhost:5000","endpoints":["http://localhost:5000"]},
    {"name":"mirror","endpoints":["http://10.0.0.1"],"fresh_seconds":0}]}"#;

fn resolve(path: &str, ns: Option<&str>) -> Result<(String, String), TargetError> {
    let upstreams = Registry::parse(CONFIG).expect("a configuration");
    let name = RequestedName::parse(path).expect(path);
    let target = upstreams.resolve(&name, ns)?;
    assert_eq!(target.shape, Shape { name: path, ns });
    Ok((
        target.upstream.name().to_owned(),
        target.repository.to_string(),
    ))
}

#[test]
fn knows_the_three_shapes() {
    let rows = [
        ("alpine", None, "docker.io", "library/alpine"),
        ("library/alpine", None, "docker.io", "library/alpine"),
        ("team/app", None, "docker.io", "team/app"),
        ("alpine", Some("docker.io"), "docker.io", "library/alpine"),
        (
            "library/alpine",
            Some("Docker.IO"),
            "docker.io",
            "library/alpine",
        ),
        (
            "library/alpine",
            Some("index.docker.io"),
            "docker.io",
            "library/alpine",
        ),
        ("team/app", Some("ghcr.io"), "ghcr.io", "team/app"),
        ("app", Some("ghcr.io"), "ghcr.io", "app"),
        ("docker.io/alpine", None, "docker.io", "library/alpine"),
        (
            "index.docker.io/alpine",
            None,
            "docker.io",
            "library/alpine",
        ),
        ("ghcr.io/team/app", None, "ghcr.io", "team/app"),
        ("localhost:5000/app", None, "localhost:5000", "app"),
        ("mirror/app", None, "mirror", "app"),
        ("mirror", None, "docker.io", "library/mirror"),
        (
            "docker.io/library/alpine",
            Some("docker.io"),
            "docker.io",
            "library/alpine",
        ),
        (
            "index.docker.io/library/alpine",
            Some("docker.io"),
            "docker.io",
            "library/alpine",
        ),
        (
            "my.project/app",
            Some("ghcr.io"),
            "ghcr.io",
            "my.project/app",
        ),
    ];
    for (path, ns, upstream, repository) in rows {
        let expected = Ok((upstream.to_owned(), repository.to_owned()));
        assert_eq!(resolve(path, ns), expected, "{path} {ns:?}");
    }
}

#[test]
fn refuses_what_is_not_configured_or_disagrees() {
    let rows = [
        (
            "alpine",
            Some("evil.example"),
            TargetError::UnknownNamespace("evil.example".to_owned()),
        ),
        (
            "alpine",
            Some(""),
            TargetError::UnknownNamespace(String::new()),
        ),
        (
            "evil.example/alpine",
            None,
            TargetError::UnknownPrefix("evil.example".to_owned()),
        ),
        (
            "127.0.0.1:22/alpine",
            None,
            TargetError::UnknownPrefix("127.0.0.1:22".to_owned()),
        ),
        ("docker.io/alpine", Some("ghcr.io"), TargetError::Disagree),
        (
            "evil:1/alpine",
            Some("ghcr.io"),
            TargetError::Name(NameError::Grammar),
        ),
    ];
    for (path, ns, error) in rows {
        assert_eq!(resolve(path, ns), Err(error), "{path} {ns:?}");
    }
    let statuses = [
        (TargetError::UnknownPrefix("x".to_owned()), 404),
        (TargetError::NoDefault, 404),
        (TargetError::Disagree, 400),
        (TargetError::Name(NameError::TooLong), 400),
    ];
    for (error, status) in statuses {
        assert_eq!(ApiError::from(error).kind().status(), status);
    }
}

#[test]
fn no_default_is_no_upstream() {
    let upstreams = Registry::parse(r#"{"upstreams":[]}"#).expect("a configuration");
    let name = RequestedName::parse("alpine").expect("a name");
    assert_eq!(
        upstreams.resolve(&name, None).map(|_| ()),
        Err(TargetError::NoDefault)
    );
}

#[test]
fn the_prefix_can_make_a_name_too_long() {
    let long = "a".repeat(250);
    assert_eq!(
        resolve(&long, None),
        Err(TargetError::Name(NameError::TooLong))
    );
    assert!(resolve(&format!("ghcr.io/{long}"), None).is_ok());
}

#[test]
fn refuses_bad_configurations() {
    let rows = [
        (
            r#"{"default_upstream":"x","upstreams":[]}"#,
            "the default upstream \"x\" is not configured",
        ),
        (
            r#"{"upstreams":[{"name":"a/b","endpoints":["http://a"]}]}"#,
            "\"a/b\" cannot be an upstream's name: its host is malformed",
        ),
        (
            r#"{"upstreams":[{"name":"a","aliases":["A"],"endpoints":["http://a"]}]}"#,
            "two upstreams are called \"A\"",
        ),
        (
            r#"{"upstreams":[{"name":"a","endpoints":["a"]}]}"#,
            "upstream \"a\" has an endpoint that cannot be used: it starts with neither http:// nor https://",
        ),
        (
            r#"{"upstreams":[{"name":"a","endpoints":["http://a"],"trusted_hosts":["u@b"]}]}"#,
            "upstream \"a\" trusts a host that is none: it holds user information",
        ),
        (
            r#"{"upstreams":[{"name":"a","endpoints":["http://a"],"official_prefix":"A"}]}"#,
            "upstream \"a\" has a malformed official prefix: the repository's name breaks the grammar of the specification",
        ),
    ];
    for (json, text) in rows {
        assert_eq!(Registry::parse(json).expect_err(json).to_string(), text);
    }
}

#[test]
fn upstreams_know_themselves() {
    let upstreams = Registry::parse(CONFIG).expect("a configuration");
    let ghcr = upstreams.find("GHCR.io").expect("configured");
    let name = RepositoryName::parse("a").expect("a name");
    assert!(ghcr.is_private(&name) && ghcr.credentials().is_some());
    assert_eq!(ghcr.endpoints()[0].to_string(), "https://ghcr.io");
    let docker = upstreams.find("index.docker.io").expect("configured");
    assert!(!docker.is_private(&name) && docker.trusted_hosts().is_empty());
    let usual = |name: &str| {
        let upstream = upstreams.find(name).expect(name);
        let repository = RepositoryName::parse("a").expect("a name");
        upstream.freshness().lifetime(&repository, None).fresh
    };
    assert_eq!((usual("docker.io"), usual("mirror")), (600, 0));
    assert!(upstreams.find("quay.io").is_none());
}

#[test]
fn access_says_what_is_private() {
    let upstream = |more: &str| {
        let json = format!(r#"{{"upstreams":[{{"name":"a","endpoints":["http://a"]{more}}}]}}"#);
        Registry::parse(&json)
    };
    let with = r#","credentials":{"variable":"v"}"#;
    let rows = [
        (String::new(), [false, false], false),
        (r#","access":"public""#.to_owned(), [false, false], false),
        (with.to_owned(), [true, true], false),
        (format!(r#"{with},"access":"shared""#), [true, true], false),
        (
            format!(r#"{with},"public":["open/**"]"#),
            [false, true],
            false,
        ),
        (r#","access":"pass-through""#.to_owned(), [true, true], true),
    ];
    let names = ["open/x", "team/x"].map(|name| RepositoryName::parse(name).expect(name));
    for (more, private, passes) in rows {
        let upstreams = upstream(&more).expect(&more);
        let a = upstreams.find("a").expect("configured");
        assert_eq!(
            names.each_ref().map(|name| a.is_private(name)),
            private,
            "{more}"
        );
        assert_eq!(a.is_pass_through(), passes, "{more}");
        assert_eq!(a.allowed_seconds(), 600);
    }
    let rows = [
        (
            r#","access":"shared""#.to_owned(),
            "is shared, and has no credentials",
        ),
        (
            format!(r#"{with},"access":"public""#),
            "is public as a whole, and has credentials",
        ),
        (
            format!(r#"{with},"access":"pass-through""#),
            "passes its clients' credentials on, and has some too",
        ),
        (
            r#","public":["open/**"]"#.to_owned(),
            "lists what is public of it, and is not shared",
        ),
    ];
    for (more, text) in rows {
        let error = upstream(&more).expect_err(&more).to_string();
        assert_eq!(error, format!("upstream \"a\" {text}"));
    }
    assert!(upstream(r#","access":"all""#).is_err());
}

#[test]
fn urls_keep_the_clients_shape() {
    let shape = Shape {
        name: "docker.io/library/alpine",
        ns: None,
    };
    assert_eq!(
        shape.url("tags/list", &[]),
        "/v2/docker.io/library/alpine/tags/list"
    );
    let shape = Shape {
        name: "alpine",
        ns: Some("localhost:5000"),
    };
    let url = shape.url("tags/list", &[("n", "2"), ("last", "a&b")]);
    assert_eq!(
        url,
        "/v2/alpine/tags/list?n=2&last=a%26b&ns=localhost%3A5000"
    );
    assert_eq!(
        catalog_url(&[("n", "1")], Some("a:1")),
        "/v2/_catalog?n=1&ns=a%3A1"
    );
}

#[test]
fn who_may_be_a_mirror_is_told_which_registry_is_meant() {
    let json = r#"{"upstreams":[{"name":"docker.io","aliases":["registry-1.docker.io"],
        "endpoints":["http://region:5000","https://registry-1.docker.io"]}]}"#;
    let upstreams = config::Registry::parse(json).expect("a configuration");
    let upstream = upstreams.find("docker.io").expect("it is there");
    let [region, itself] = upstream.endpoints() else {
        panic!("two endpoints");
    };
    for (path, at_region) in [
        ("/v2/a/manifests/b", "/v2/a/manifests/b?ns=docker.io"),
        ("/v2/a/tags/list?n=1", "/v2/a/tags/list?n=1&ns=docker.io"),
        // A page of a list that the region sent.
        (
            "/v2/a/tags/list?ns=docker.io&last=b",
            "/v2/a/tags/list?ns=docker.io&last=b",
        ),
    ] {
        assert_eq!(upstream.path_at(region, path), at_region);
        assert_eq!(upstream.path_at(itself, path), path);
    }
}
