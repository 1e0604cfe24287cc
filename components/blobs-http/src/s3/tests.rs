use super::*;

/// The moment and the key of AWS's own example ("Authenticating Requests: Using Query Parameters").
const THEN: i64 = 1_369_353_600;

fn secrets() -> Secrets {
    Secrets {
        key: Some("AKIAIOSFODNN7EXAMPLE".into()),
        secret: Some("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()),
        token: None,
    }
}

fn bucket(endpoint: &str, addressing: Addressing) -> Result<Bucket, BucketError> {
    let name = "examplebucket".to_owned();
    Bucket::new(
        endpoint,
        addressing,
        name,
        "us-east-1".to_owned(),
        &secrets(),
    )
}

fn now() -> Timestamp {
    Timestamp::from_second(THEN).expect("a moment")
}

#[test]
fn signs_as_aws_shows_it() {
    let bucket = bucket("https://s3.amazonaws.com", Addressing::VirtualHost).expect("a bucket");
    let url = bucket.lend("test.txt", now(), 86_400);
    assert_eq!(
        url.as_str(),
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

#[test]
fn addresses_a_bucket_by_path_or_by_host() {
    let rows = [
        (
            "http://127.0.0.1:9000",
            Addressing::Path,
            "http://127.0.0.1:9000/examplebucket/p/q/a",
        ),
        (
            "https://s3.example",
            Addressing::Path,
            "https://s3.example/examplebucket/p/q/a",
        ),
        (
            "https://s3.example/",
            Addressing::VirtualHost,
            "https://examplebucket.s3.example/p/q/a",
        ),
    ];
    for (endpoint, addressing, expected) in rows {
        let bucket = bucket(endpoint, addressing).expect(endpoint);
        let call = bucket
            .with_prefix("/p/q/")
            .expect("a prefix")
            .head("a", now());
        let mut url = call.url.clone();
        url.set_query(None);
        assert_eq!((call.verb, url.as_str()), (Verb::Head, expected));
    }
}

#[test]
fn uploads_in_parts() {
    let bucket = bucket("http://s3", Addressing::Path).expect("a bucket");
    let has = |call: &Call, part: &str| {
        let query = call.url.query().unwrap_or_default();
        assert!(query.split('&').any(|one| one == part), "{part} in {query}");
    };
    has(&bucket.begin("a", now()), "uploads=1");
    let part = bucket.send("a", "id+/", 7, now());
    has(&part, "partNumber=7");
    has(&part, "uploadId=id%2B%2F");
    let (call, body) = bucket.complete("a", "id", &["\"1\"".to_owned(), "\"2\"".to_owned()], now());
    has(&call, "uploadId=id");
    assert!(body.contains("<PartNumber>2</PartNumber>"), "{body}");
    assert_eq!(bucket.abort("a", "id", now()).verb, Verb::Delete);
}

#[test]
fn parts_are_as_many_as_s3_takes() {
    let bucket = bucket("http://s3", Addressing::Path).expect("a bucket");
    let bucket = bucket.with_parts(8 << 20).expect("parts");
    let mib = 1 << 20;
    let rows = [
        (0, Some(0)),
        (1, Some(1)),
        (8 * mib, Some(8 * mib)),
        (8 * mib + 1, Some(8 * mib)),
        (80_000 * mib, Some(8 * mib)),
        (80_000 * mib + 1, Some(8 * mib + 1)),
        (PARTS * MOST_PART, Some(MOST_PART)),
        (PARTS * MOST_PART + 1, None),
        (u64::MAX, None),
    ];
    for (size, expected) in rows {
        assert_eq!(bucket.part(size), expected, "{size}");
        if let Some(part) = expected.filter(|part| *part > 0) {
            assert!(size.div_ceil(part) <= PARTS);
        }
    }
}

#[test]
fn reads_what_the_bucket_says_of_uploads() {
    let begun_ = br#"<?xml version="1.0" encoding="UTF-8"?><InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>b</Bucket><Key>k</Key><UploadId>abc</UploadId></InitiateMultipartUploadResult>"#;
    assert_eq!(begun(begun_).as_deref(), Some("abc"));
    let completed = br#"<?xml version="1.0" encoding="UTF-8"?><CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Location>x</Location><Bucket>b</Bucket><Key>k</Key><ETag>"e"</ETag></CompleteMultipartUploadResult>"#;
    assert!(is_completed(completed));
    let failed = br#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code><Message>x</Message></Error>"#;
    for body in [&failed[..], b"", b"\xff", b"<", begun_] {
        assert!(!is_completed(body));
    }
    for body in [
        &failed[..],
        b"",
        b"\xff",
        b"<UploadId>x</UploadId>",
        completed,
    ] {
        assert_eq!(begun(body), None);
    }
}

#[test]
fn refuses_what_can_be_no_bucket() {
    let text = |result: Result<Bucket, BucketError>| result.expect_err("refused").to_string();
    assert_eq!(
        text(bucket("s3.example", Addressing::Path)),
        "\"endpoint\" is no URL like https://s3.eu-central-1.amazonaws.com: relative URL without a base"
    );
    assert!(text(bucket("http://me:hunter2@s3", Addressing::Path)).contains("ledge_blobs_key"));
    assert!(
        text(bucket("http://127.0.0.1", Addressing::VirtualHost))
            .contains("\"addressing\": \"path\"")
    );
    let half = Secrets {
        secret: None,
        ..secrets()
    };
    let name = "b".to_owned();
    let result = Bucket::new("http://s3", Addressing::Path, name, String::new(), &half);
    assert!(matches!(result, Err(BucketError::HalfKey)));
    let good = || bucket("http://s3", Addressing::Path).expect("a bucket");
    assert!(matches!(
        good().with_prefix("a b"),
        Err(BucketError::Prefix)
    ));
    for part in [0, LEAST_PART - 1, MOST_PART + 1] {
        assert!(matches!(good().with_parts(part), Err(BucketError::Part)));
    }
    let shown = format!("{:?}", good());
    assert!(!shown.contains("wJalr"), "{shown}");
}
