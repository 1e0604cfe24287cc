use super::*;

const S3: &str = r#"{"kind":"s3","endpoint":"http://s3:9000","region":"r","bucket":"b"}"#;
const HTTP: &str = r#"{"kind":"http","url":"http://nginx/x"}"#;

fn with(store: &str, more: &str) -> Result<Settings, SettingsError> {
    Settings::parse(
        &format!(r#"{{"store":{store}{more}}}"#),
        &Secrets::default(),
    )
}

#[test]
fn defaults_are_few() {
    let settings = with(S3, "").expect("settings");
    assert!(
        matches!(&settings.store, Store::S3(bucket) if bucket.part(1 << 30) == Some(DEFAULT_PART_BYTES))
    );
    assert_eq!(settings.redirect, None);
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.leases.as_deref(), Some("default"));
    let settings = with(HTTP, r#","leases":"""#).expect("settings");
    assert!(matches!(&settings.store, Store::Http(server) if !server.moves()));
    assert_eq!(settings.leases, None);
}

#[test]
fn everything_can_be_said() {
    let store = r#"{"kind":"s3","endpoint":"https://s3.example","region":"r","bucket":"b","addressing":"virtual-host","prefix":"p","part_bytes":6000000}"#;
    let settings = with(
        store,
        r#","platform":"akamai-functions","limits":{"response_bytes":20000000,"request_seconds":60,"value_bytes":5000},"redirect":{"above_bytes":1000,"seconds":60},"leases":"volatile","wait_seconds":15"#,
    )
    .expect("settings");
    assert_eq!(
        settings.limits,
        Limits {
            response: Some(20_000_000),
            seconds: Some(60),
            value: Some(5000)
        }
    );
    let redirect = Redirect {
        above: 1000,
        seconds: 60,
    };
    assert_eq!(settings.redirect, Some(redirect));
    assert_eq!(settings.leases.as_deref(), Some("volatile"));
    assert_eq!(settings.wait, 15);
    let settings = with(
        r#"{"kind":"http","url":"http://nginx","commit":"move"}"#,
        "",
    );
    assert!(matches!(settings.expect("settings").store, Store::Http(server) if server.moves()));
}

#[test]
fn profiles_know_their_limits() {
    let settings = with(S3, r#","platform":"fermyon-cloud","redirect":{}"#).expect("settings");
    assert_eq!(settings.limits.response, Some(10_000_000));
    assert_eq!(settings.wait, 10);
    let settings = with(S3, r#","limits":{"request_seconds":21},"wait_seconds":15"#);
    assert_eq!(
        settings.expect("settings").wait,
        7,
        "a third of the request"
    );
    let settings = with(S3, r#","platform":"fermyon-cloud","redirect":{}"#).expect("settings");
    let redirect = Redirect {
        above: DEFAULT_REDIRECT_ABOVE,
        seconds: DEFAULT_REDIRECT_SECONDS,
    };
    assert_eq!(settings.redirect, Some(redirect));
}

/// What is refused, and that the text says what to do instead.
#[test]
fn refusals_name_the_remedy() {
    let rows = [
        (
            S3,
            r#","redirects":{}"#,
            "it is not readable: unknown field `redirects`, expected one of `store`, `platform`, `limits`, `redirect`, `leases`, `wait_seconds` at line 1 column",
        ),
        (
            S3,
            r#","platform":"lambda""#,
            "it is not readable: unknown variant `lambda`, expected one of `spin`, `akamai-functions`, `fermyon-cloud` at line 1 column",
        ),
        (
            r#"{"kind":"gcs"}"#,
            "",
            "it is not readable: unknown variant `gcs`, expected `s3` or `http`",
        ),
        (
            r#"{"kind":"http","url":"http://nginx","secret":"hunter2"}"#,
            "",
            "it is not readable: unknown field `secret`, expected `url` or `commit`",
        ),
        (
            r#"{"kind":"s3","endpoint":"http://s3","bucket":"b"}"#,
            "",
            "it is not readable: missing field `region`",
        ),
        (
            HTTP,
            r#","redirect":{}"#,
            "\"redirect\": only a bucket has URLs that let clients in: use \"kind\": \"s3\"",
        ),
        (
            S3,
            r#","redirect":{"seconds":0}"#,
            "\"redirect\": \"seconds\" is from 1 to 604800, a week",
        ),
        (
            S3,
            r#","platform":"akamai-functions""#,
            "on this platform that cannot work: a response has at most 10485760 bytes, and layers have more: add \"redirect\"",
        ),
        (
            HTTP,
            r#","platform":"akamai-functions""#,
            "on this platform that cannot work: a response has at most 10485760 bytes, layers have more, and clients cannot be sent to an HTTP server behind the adapter: use a bucket",
        ),
        (
            S3,
            r#","platform":"akamai-functions","redirect":{"above_bytes":10485761}"#,
            "on this platform that cannot work: a response has at most 10485760 bytes: make \"above_bytes\" of \"redirect\" 10485760 or less, it is 10485761",
        ),
        (
            S3,
            r#","limits":{"request_seconds":19}"#,
            "on this platform that cannot work: a request has at most 19 seconds",
        ),
        (
            S3,
            r#","limits":{"value_bytes":4095}"#,
            "on this platform that cannot work: a value has at most 4095 bytes",
        ),
    ];
    for (store, more, expected) in rows {
        let text = with(store, more).expect_err(more).to_string();
        assert!(text.starts_with(expected), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
