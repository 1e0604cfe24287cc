use super::*;
use proptest::prelude::*;

#[test]
fn parses_endpoints() {
    let rows = [
        ("https://ghcr.io", "https://ghcr.io", "ghcr.io", 443),
        ("https://ghcr.io/", "https://ghcr.io", "ghcr.io", 443),
        (
            "HTTP://LocalHost:5000",
            "http://localhost:5000",
            "localhost",
            5000,
        ),
        ("http://127.0.0.1", "http://127.0.0.1", "127.0.0.1", 80),
        ("http://[::1]:5000", "http://[::1]:5000", "[::1]", 5000),
        (
            "https://[2001:db8::1]",
            "https://[2001:db8::1]",
            "[2001:db8::1]",
            443,
        ),
    ];
    for (text, printed, host, port) in rows {
        let endpoint = Endpoint::parse(text).expect(text);
        assert_eq!(endpoint.to_string(), printed);
        assert_eq!(endpoint.authority().host(), host);
        assert_eq!(endpoint.port(), port);
    }
}

#[test]
fn refuses_other_endpoints() {
    use UriError::{Host, Port, Scheme, Tail, Text, UserInformation};
    let rows = [
        ("", Scheme),
        ("ghcr.io", Scheme),
        ("ftp://ghcr.io", Scheme),
        ("//ghcr.io", Scheme),
        ("https://", Host),
        ("https://:5000", Host),
        ("https://[::1", Host),
        ("https://[zz]", Host),
        ("https://[::1]5000", Host),
        ("https://a%2fb", Host),
        ("https://...", Host),
        ("https://a:", Port),
        ("https://a:0", Port),
        ("https://a:+5", Port),
        ("https://a:65536", Port),
        ("https://a:1:2", Port),
        ("https://u:p@a", UserInformation),
        ("https://a/v2", Tail),
        ("https://a?x", Tail),
        ("https://a#x", Tail),
        ("https://a//", Tail),
        ("https://a b", Text),
        ("https://a\n", Text),
        ("https://é", Text),
    ];
    for (text, error) in rows {
        assert_eq!(Endpoint::parse(text), Err(error), "{text:?}");
    }
    assert_eq!(
        Endpoint::parse(&format!("https://{}", "a".repeat(256))),
        Err(Host)
    );
    assert_eq!(
        Endpoint::parse(&format!("https://{}", "a".repeat(8000))),
        Err(Text)
    );
}

#[test]
fn reads_realms() {
    let rows = [
        ("https://auth.docker.io/token", "/token"),
        ("https://ghcr.io", "/"),
        ("https://ghcr.io?a=b", "/?a=b"),
        (
            "https://public.ecr.aws/token/?x=1&y=%20",
            "/token/?x=1&y=%20",
        ),
    ];
    for (text, path) in rows {
        assert_eq!(HttpUri::parse(text).expect(text).path_and_query(), path);
    }
    let signed = HttpUri::parse("https://a.b/c?token=hunter2").expect("a URI");
    assert_eq!(format!("{signed:?}"), "https://a.b/c");
}

#[test]
fn knows_the_same_place() {
    let rows = [
        ("https://a", "https://a:443", true),
        ("https://a", "http://a", false),
        ("https://a:80", "http://A", true),
        ("https://a", "https://b", false),
    ];
    for (one, other, same) in rows {
        let (one, other) = (
            Endpoint::parse(one).expect(one),
            Endpoint::parse(other).expect(other),
        );
        assert_eq!(one.same_place(&other), same, "{one} {other}");
    }
}

proptest! {
    #[test]
    fn printed_endpoints_parse_again(host in "[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", port in proptest::option::of(1u16..), tls: bool) {
        let scheme = if tls { "https" } else { "http" };
        let port = port.map(|p| format!(":{p}")).unwrap_or_default();
        let text = format!("{scheme}://{host}{port}");
        prop_assert_eq!(Endpoint::parse(&text).map(|e| e.to_string()), Ok(text));
    }

    #[test]
    fn garbage_is_an_error_or_clean(text in "(https?://)?\\PC{0,80}") {
        if let Ok(uri) = HttpUri::parse(&text) {
            prop_assert!(uri.path_and_query().starts_with('/'));
            prop_assert!(Endpoint::parse(&uri.endpoint().to_string()).is_ok());
        }
    }
}
