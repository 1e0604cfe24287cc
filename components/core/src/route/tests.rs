use super::*;
use crate::name::TagError;
use proptest::prelude::*;

fn digest() -> String {
    format!("sha256:{}", "0a".repeat(32))
}

fn get(target: &str) -> Result<Route, RouteError> {
    Routed::parse(Method::Get, target).map(|routed| routed.route)
}

fn name(text: &str) -> RequestedName {
    RequestedName::parse(text).expect(text)
}

#[test]
fn finds_manifests() {
    let rows = [
        ("/v2/alpine/manifests/3.20", "alpine", "3.20"),
        (
            "/v2/library/alpine/manifests/latest",
            "library/alpine",
            "latest",
        ),
        (
            "/v2/docker.io/library/alpine/manifests/latest",
            "docker.io/library/alpine",
            "latest",
        ),
        (
            "/v2/localhost:5000/a/manifests/latest",
            "localhost:5000/a",
            "latest",
        ),
        (
            "/v2/localhost%3A5000/a/manifests/latest",
            "localhost:5000/a",
            "latest",
        ),
        (
            "/v2/manifests/manifests/manifests",
            "manifests",
            "manifests",
        ),
        ("/v2/a/blobs/uploads/manifests/b", "a/blobs/uploads", "b"),
        ("/v2/a/tags/manifests/list", "a/tags", "list"),
        ("/v2/%61lpine/manifests/la%74est", "alpine", "latest"),
    ];
    for (target, repository, reference) in rows {
        let reference = Reference::parse(reference).expect(reference);
        let expected = Route::Manifest {
            name: name(repository),
            reference,
        };
        assert_eq!(get(target), Ok(expected), "{target}");
    }
    for colon in [":", "%3A", "%3a"] {
        let target = format!("/v2/a/manifests/{}", digest().replace(':', colon));
        let reference = Reference::parse(&digest()).expect("a digest");
        assert_eq!(
            get(&target),
            Ok(Route::Manifest {
                name: name("a"),
                reference
            })
        );
    }
}

#[test]
fn finds_everything_else() {
    let subject = Digest::parse(&digest()).expect("a digest");
    assert_eq!(get("/v2/"), Ok(Route::Base));
    assert_eq!(get("/v2"), Ok(Route::Base));
    assert_eq!(get("/v2/?ns=docker.io"), Ok(Route::Base));
    let blob = Route::Blob {
        name: name("a/b"),
        digest: subject.clone(),
    };
    assert_eq!(get(&format!("/v2/a/b/blobs/{subject}")), Ok(blob));
    let referrers = |artifact_type: Option<&str>| Route::Referrers {
        name: name("a"),
        digest: subject.clone(),
        artifact_type: artifact_type.map(str::to_owned),
    };
    assert_eq!(
        get(&format!("/v2/a/referrers/{subject}")),
        Ok(referrers(None))
    );
    assert_eq!(
        get(&format!("/v2/a/referrers/{subject}?artifactType=")),
        Ok(referrers(None))
    );
    for typed in ["application%2Fvnd.x%2Bjson", "application/vnd.x+json"] {
        let target = format!("/v2/a/referrers/{subject}?x&artifactType={typed}");
        assert_eq!(get(&target), Ok(referrers(Some("application/vnd.x+json"))));
    }
}

#[test]
fn reads_pages() {
    let page = |n: Option<u64>, last: Option<&str>| Page {
        n,
        last: last.map(str::to_owned),
    };
    let rows = [
        ("", page(None, None)),
        ("?n=0", page(Some(0), None)),
        ("?n=1000&last=b", page(Some(1000), Some("b"))),
        ("?last=a%26b&ns=x", page(None, Some("a&b"))),
        ("?n=99999999999999999999", page(Some(u64::MAX), None)),
        ("?n=1&n=2", page(Some(1), None)),
        ("?last=", page(None, None)),
    ];
    for (query, page) in rows {
        let tags = Route::Tags {
            name: name("a"),
            page: page.clone(),
        };
        assert_eq!(get(&format!("/v2/a/tags/list{query}")), Ok(tags), "{query}");
        assert_eq!(
            get(&format!("/v2/_catalog{query}")),
            Ok(Route::Catalog(page)),
            "{query}"
        );
    }
    for query in ["?n=", "?n", "?n=-1", "?n=+5", "?n=1.0", "?n=%20", "?n=1x"] {
        assert_eq!(
            get(&format!("/v2/a/tags/list{query}")),
            Err(RouteError::Number),
            "{query}"
        );
    }
}

#[test]
fn reads_the_namespace() {
    let rows = [
        ("/v2/a/manifests/b?ns=docker.io", Some("docker.io")),
        (
            "/v2/a/manifests/b?ns=localhost%3A5000",
            Some("localhost:5000"),
        ),
        ("/v2/a/manifests/b?x=1&ns=", Some("")),
        ("/v2/a/manifests/b?nsx=1", None),
        ("/v2/a/manifests/b", None),
    ];
    for (target, ns) in rows {
        let routed = Routed::parse(Method::Head, target).expect(target);
        assert_eq!(routed.ns.as_deref(), ns, "{target}");
    }
}

#[test]
fn refuses_bad_paths() {
    let blob = |text: &str| format!("/v2/a/blobs/{text}");
    let rows = [
        (String::new(), RouteError::Path),
        ("/".to_owned(), RouteError::Path),
        ("*".to_owned(), RouteError::Path),
        ("/v1/".to_owned(), RouteError::Path),
        ("/v2x".to_owned(), RouteError::Path),
        ("//v2/a/manifests/b".to_owned(), RouteError::Path),
        ("/v2/a".to_owned(), RouteError::Path),
        ("/v2/_catalog/".to_owned(), RouteError::Path),
        ("/v2/manifests/b".to_owned(), RouteError::Path),
        ("/v2/a/tags".to_owned(), RouteError::Path),
        ("/v2/a/tags/list/".to_owned(), RouteError::Path),
        ("/v2/a/uploads/x".to_owned(), RouteError::Path),
        (
            "/v2//manifests/b".to_owned(),
            RouteError::Name(NameError::Grammar),
        ),
        (
            "/v2/a//b/manifests/b".to_owned(),
            RouteError::Name(NameError::Grammar),
        ),
        (
            "/v2/a/../b/manifests/b".to_owned(),
            RouteError::Name(NameError::Grammar),
        ),
        (
            "/v2/a/%2e%2e/manifests/b".to_owned(),
            RouteError::Name(NameError::Grammar),
        ),
        (
            "/v2/a%2Fb/manifests/b".to_owned(),
            RouteError::Name(NameError::Grammar),
        ),
        (
            "/v2/a%00/manifests/b".to_owned(),
            RouteError::Name(NameError::Grammar),
        ),
        (
            "/v2/a%ff/manifests/b".to_owned(),
            RouteError::Name(NameError::Grammar),
        ),
        (
            "/v2/A/manifests/b".to_owned(),
            RouteError::Name(NameError::Grammar),
        ),
        (
            format!("/v2/{}/manifests/b", "a".repeat(300)),
            RouteError::Name(NameError::TooLong),
        ),
        (
            format!("/v2/{}/manifests/b", "a".repeat(5000)),
            RouteError::TooLong,
        ),
        (
            "/v2/a/manifests/".to_owned(),
            RouteError::Reference(ReferenceError::Tag(TagError)),
        ),
        (
            "/v2/a/manifests/..".to_owned(),
            RouteError::Reference(ReferenceError::Tag(TagError)),
        ),
        (
            "/v2/a/manifests/a%2fb".to_owned(),
            RouteError::Reference(ReferenceError::Tag(TagError)),
        ),
        (
            "/v2/a/manifests/sha256:12".to_owned(),
            RouteError::Reference(ReferenceError::Digest(DigestError::Length {
                expected: 64,
                found: 2,
            })),
        ),
        (blob("latest"), RouteError::Digest(DigestError::NoColon)),
        (blob("md5:00"), RouteError::Digest(DigestError::Algorithm)),
        (
            blob(&digest().to_uppercase()),
            RouteError::Digest(DigestError::Algorithm),
        ),
        (blob(""), RouteError::Digest(DigestError::NoColon)),
        (
            "/v2/a/referrers/x".to_owned(),
            RouteError::Digest(DigestError::NoColon),
        ),
    ];
    for (target, error) in rows {
        assert_eq!(get(&target), Err(error), "{target}");
    }
}

#[test]
fn serves_no_other_method() {
    let blob = format!("/v2/a/blobs/{}", digest());
    let paths = [
        "/v2/",
        "/v2/_catalog",
        "/v2/a/manifests/b",
        &blob,
        "/v2/a/tags/list",
        "/v2/a/blobs/uploads/",
        "/v2/a/blobs/uploads",
        "/v2/a/blobs/uploads/some-id",
    ];
    for path in paths {
        assert_eq!(
            Routed::parse(Method::Other, path),
            Err(RouteError::Method),
            "{path}"
        );
    }
    assert_eq!(get("/v2/a/blobs/uploads/some-id"), Err(RouteError::Method));
    assert_eq!(
        Routed::parse(Method::Other, "/metrics"),
        Err(RouteError::Path)
    );
}

#[test]
fn errors_have_codes_and_statuses() {
    let rows = [
        ("/v1/", "UNSUPPORTED", 404),
        ("/v2/A/manifests/b", "NAME_INVALID", 400),
        ("/v2/a/manifests/-", "MANIFEST_UNKNOWN", 404),
        ("/v2/a/manifests/sha256:1", "DIGEST_INVALID", 400),
        ("/v2/a/blobs/sha256:1", "DIGEST_INVALID", 400),
        ("/v2/a/referrers/sha256:1", "DIGEST_INVALID", 400),
        ("/v2/a/blobs/uploads/", "UNSUPPORTED", 405),
        ("/v2/a/tags/list?n=x", "PAGINATION_NUMBER_INVALID", 400),
    ];
    for (target, code, status) in rows {
        let error = ApiError::from(get(target).expect_err(target));
        assert_eq!(
            (error.kind().code(), error.kind().status()),
            (code, status),
            "{target}"
        );
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(target in "(/v2/)?[a-z0-9/%.:?&=+_-]{0,80}|\\PC{0,80}") {
        let _ = Routed::parse(Method::Get, &target);
    }

    #[test]
    fn every_valid_name_and_tag_is_found(repository in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,4}", tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}") {
        let target = format!("/v2/{repository}/manifests/{tag}");
        let reference = Reference::parse(&tag).expect("a tag");
        prop_assert_eq!(get(&target), Ok(Route::Manifest { name: name(&repository), reference }));
    }
}
