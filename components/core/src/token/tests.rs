use super::*;
use crate::config::Registry;
use proptest::prelude::*;

fn uri(text: &str) -> HttpUri {
    HttpUri::parse(text).expect(text)
}

#[test]
fn builds_the_request() {
    let name = RepositoryName::parse("library/alpine").expect("a name");
    let rows = [
        (
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            "/token?service=registry.docker.io&scope=repository%3Alibrary%2Falpine%3Apull",
        ),
        (
            "https://a/t?account=x",
            None,
            "/t?account=x&scope=repository%3Alibrary%2Falpine%3Apull",
        ),
        (
            "https://a",
            Some("a b&c"),
            "/?service=a%20b%26c&scope=repository%3Alibrary%2Falpine%3Apull",
        ),
    ];
    for (realm, service, path) in rows {
        let bearer = Bearer {
            realm: uri(realm),
            service: service.map(str::to_owned),
        };
        assert_eq!(token_path(&bearer, &name), path);
    }
}

#[test]
fn builds_the_form_of_a_refresh_token() {
    let name = RepositoryName::parse("team/app").expect("a name");
    let bearer = |service: Option<&str>| Bearer {
        realm: uri("https://a/oauth2/token?x=y"),
        service: service.map(str::to_owned),
    };
    assert_eq!(
        refresh_form(&bearer(Some("a b")), &name, "s&c=r+t/ä"),
        "service=a%20b&scope=repository%3Ateam%2Fapp%3Apull&grant_type=refresh_token\
         &client_id=ledge&refresh_token=s%26c%3Dr%2Bt%2F%C3%A4"
    );
    assert_eq!(
        refresh_form(&bearer(None), &name, "t"),
        "scope=repository%3Ateam%2Fapp%3Apull&grant_type=refresh_token&client_id=ledge&refresh_token=t"
    );
}

#[test]
fn reads_answers() {
    let rows = [
        (r#"{"token":"abc"}"#, "abc", 1048),
        (
            r#"{"access_token":"abc","expires_in":300,"issued_at":"2020-01-01T00:00:00Z"}"#,
            "abc",
            1270,
        ),
        (r#"{"token":"","access_token":"abc"}"#, "abc", 1048),
        (
            r#"{"token":"abc","access_token":"def","expires_in":10}"#,
            "abc",
            1008,
        ),
        (r#"{"token":"abc","expires_in":0}"#, "abc", 1048),
        (r#"{"token":"abc","expires_in":-5}"#, "abc", 1048),
        (r#"{"token":"abc","expires_in":1.5}"#, "abc", 1048),
        (r#"{"token":"abc","expires_in":null}"#, "abc", 1048),
        (
            r#"{"token":"abc","expires_in":18446744073709551615}"#,
            "abc",
            1000 + 86400 - 30,
        ),
    ];
    for (json, text, renew_at) in rows {
        let token = Token::parse_response(json.as_bytes(), 1000).expect(json);
        assert_eq!(
            (token.expose(), token.renew_at()),
            (text, renew_at),
            "{json}"
        );
    }
    let last = Token::parse_response(br#"{"token":"a"}"#, u64::MAX).expect("a token");
    assert_eq!(last.renew_at(), u64::MAX);
}

#[test]
fn refuses_answers() {
    let long = format!(r#"{{"token":"{}"}}"#, "x".repeat(MAX_TOKEN + 1));
    let rows = [
        ("", TokenError::Json),
        ("[]", TokenError::Json),
        (r#"{"token":1}"#, TokenError::Json),
        ("{}", TokenError::Missing),
        (r#"{"token":null}"#, TokenError::Missing),
        (r#"{"token":"a b"}"#, TokenError::Unusable),
        (r#"{"token":"a\r\nX: y"}"#, TokenError::Unusable),
        (r#"{"token":"é"}"#, TokenError::Unusable),
        (&long, TokenError::Unusable),
    ];
    for (json, error) in rows {
        assert_eq!(
            Token::parse_response(json.as_bytes(), 0),
            Err(error),
            "{json}"
        );
    }
}

#[test]
fn secrets_do_not_print() {
    let basic = Authorization::basic("Aladdin", "open sesame");
    assert_eq!(basic.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let token = Token::new("hunter2".to_owned(), 5).expect("a token");
    let bearer = Authorization::bearer(&token);
    assert_eq!(bearer.expose(), "Bearer hunter2");
    let shown = format!("{basic:?} {token:?} {bearer:?}");
    assert_eq!(
        shown,
        "Authorization(***) Token(***, renew at 5) Authorization(***)"
    );
}

#[test]
fn passwords_stay_where_they_belong() {
    let json = r#"{"upstreams":[{"name":"a","endpoints":["https://a"],"trusted_hosts":["auth.example","tls.example:8443"]}]}"#;
    let upstreams = Registry::parse(json).expect("a configuration");
    let upstream = upstreams.find("a").expect("configured");
    let rows = [
        ("https://a.example/token", "https://a.example", true),
        ("https://a.example:443/token", "https://a.example", true),
        ("https://a.example:444/token", "https://a.example", false),
        ("http://a.example:443/token", "https://a.example", false),
        ("http://a.example/token", "http://a.example", true),
        ("https://a.example/token", "http://a.example", false),
        ("https://evil.example/token", "https://a.example", false),
        ("https://x.a.example/token", "https://a.example", false),
        (
            "https://auth.docker.io/token",
            "https://registry-1.docker.io",
            true,
        ),
        (
            "https://auth.docker.io:8443/token",
            "https://registry-1.docker.io",
            false,
        ),
        (
            "http://auth.docker.io/token",
            "https://registry-1.docker.io",
            false,
        ),
        (
            "http://auth.docker.io/token",
            "http://registry-1.docker.io",
            false,
        ),
        (
            "https://auth.docker.io/token",
            "https://evil.example",
            false,
        ),
        ("https://auth.example/t", "https://a.example", true),
        ("https://auth.example:8443/t", "https://a.example", true),
        ("http://auth.example/t", "https://a.example", false),
        ("https://tls.example:8443/t", "https://a.example", true),
        ("https://tls.example/t", "https://a.example", false),
    ];
    for (realm, endpoint, may) in rows {
        let endpoint = Endpoint::parse(endpoint).expect(endpoint);
        assert_eq!(
            password_may_go_to(&uri(realm), &endpoint, upstream),
            may,
            "{realm} {endpoint}"
        );
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(json in "\\{?(\"token\":|\"expires_in\":)?[\"a-z0-9,:}-]{0,40}|\\PC{0,60}", now: u64) {
        if let Ok(token) = Token::parse_response(json.as_bytes(), now) {
            prop_assert!(token.renew_at() >= now);
        }
    }
}
