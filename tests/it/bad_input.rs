//! What bad input gets: an error that says so, at once, and nothing else.

use std::time::Duration;

use anyhow::{Context, Result};
use ledge_tests::http::{Method, Request};
use ledge_tests::images;
use ledge_tests::raw;

use crate::site::{REPOSITORY, Site, blob, error};

/// Well-formed, and nowhere.
const NOWHERE: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Far more than closing a socket needs, far less than a client's ten seconds.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn what_the_specification_forbids_gets_its_code() -> Result<()> {
    let site = Site::start(&images::small(200)?).await?;
    let long = "a".repeat(300);
    for (path, status, code) in [
        ("/v2/UPPER/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/a//b/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/-a/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/a/%2e%2e/b/manifests/v1", 400, "NAME_INVALID"),
        ("/v2/a%00b/manifests/v1", 400, "NAME_INVALID"),
        (&format!("/v2/{long}/manifests/v1"), 400, "NAME_INVALID"),
        (
            "/v2/library/app/manifests/sha256:xyz",
            400,
            "DIGEST_INVALID",
        ),
        ("/v2/library/app/blobs/sha256:xyz", 400, "DIGEST_INVALID"),
        (
            &format!("/v2/library/app/blobs/{}", NOWHERE.to_uppercase()),
            400,
            "DIGEST_INVALID",
        ),
        (
            "/v2/library/app/blobs/md5:d41d8cd98f00b204e9800998ecf8427e",
            400,
            "DIGEST_INVALID",
        ),
        ("/v2/library/app/blobs/v1", 400, "DIGEST_INVALID"),
        ("/v2/library/app/referrers/v1", 400, "DIGEST_INVALID"),
        (
            "/v2/library/app/manifests/nosuchtag",
            404,
            "MANIFEST_UNKNOWN",
        ),
        (
            &format!("/v2/library/app/manifests/{NOWHERE}"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (
            &format!("/v2/library/app/blobs/{NOWHERE}"),
            404,
            "BLOB_UNKNOWN",
        ),
    ] {
        let answer = site.ledge.get(path).fetch().await?;
        error(&answer, status, code).with_context(|| path.to_owned())?;
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
    }
    alive(&site).await
}

#[tokio::test]
async fn odd_references_and_paths_are_refused_in_kind() -> Result<()> {
    let site = Site::start(&images::small(201)?).await?;
    let tag = "t".repeat(129);
    for path in [
        "/",
        "/v1/",
        "/v3/library/app/manifests/v1",
        "/v2/library/app",
        "/v2/library/app/",
        "/v2/manifests/v1",
        "/v2/library/app/manifests/",
        "/v2/library/app/manifests/.hidden",
        "/v2/library/app/manifests/a%2fb",
        "/v2/library/app/manifests/v1/more",
        "/v2/library/app/blobs/",
        "/v2/nosuch/repository/manifests/v1",
        "/v2/library/app/tags/list?n=x",
        "/v2/library/app/tags/list?n=-1",
        "/v2/library/app/tags/list?n=+5",
        "/v2/%ff%fe/manifests/v1",
        "/v2/%/manifests/v1",
        &format!("/v2/library/app/manifests/{tag}"),
    ] {
        let answer = site.ledge.get(path).fetch().await?;
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        assert_ne!(answer.code(), "", "{path}: {}", answer.text());
    }
    alive(&site).await
}

#[tokio::test]
async fn methods_that_do_not_read_are_not_allowed() -> Result<()> {
    let site = Site::start(&images::small(202)?).await?;
    for (method, path) in [
        (Method::POST, format!("/v2/{REPOSITORY}/blobs/uploads/")),
        (
            Method::POST,
            format!("/v2/{REPOSITORY}/blobs/uploads/?digest={NOWHERE}"),
        ),
        (Method::PUT, format!("/v2/{REPOSITORY}/manifests/v1")),
        (
            Method::DELETE,
            format!("/v2/{REPOSITORY}/manifests/{NOWHERE}"),
        ),
        (Method::DELETE, blob(NOWHERE)),
        (Method::PATCH, blob(NOWHERE)),
        (Method::POST, "/v2/".to_owned()),
    ] {
        let answer = Request::new(method.clone(), site.ledge.address(), &path)
            .body("{}")
            .fetch()
            .await?;
        error(&answer, 405, "UNSUPPORTED").with_context(|| format!("{method} {path}"))?;
        assert_ne!(answer.header("allow"), "", "{method} {path}");
    }
    assert!(site.origin.seen().is_empty(), "{:?}", site.origin.seen());
    alive(&site).await
}

#[tokio::test]
async fn a_tls_hello_is_closed_at_once() -> Result<()> {
    let site = Site::start(&images::small(203)?).await?;
    // Handshake record, TLS 1.0, 512 bytes announced of which the first few come.
    let hello = [
        0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
    ];
    raw::exchange(site.ledge.address(), &hello, AT_ONCE).await?;
    raw::exchange(site.ledge.address(), &hello[..1], AT_ONCE).await?;
    alive(&site).await
}

#[tokio::test]
async fn header_sets_over_64_kib_are_too_large() -> Result<()> {
    let site = Site::start(&images::small(204)?).await?;
    let one = format!(
        "GET /v2/ HTTP/1.1\r\nhost: a\r\nx-one: {}\r\n\r\n",
        "x".repeat(70 << 10)
    );
    let fields: String = (0..900)
        .map(|number| format!("x-{number}: {}\r\n", "y".repeat(80)))
        .collect();
    let many = format!("GET /v2/ HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    for request in [one, many] {
        let answer = raw::exchange(site.ledge.address(), request.as_bytes(), AT_ONCE).await?;
        assert_eq!(
            raw::status(&answer),
            431,
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    alive(&site).await
}

#[tokio::test]
async fn garbage_is_no_http() -> Result<()> {
    let site = Site::start(&images::small(205)?).await?;
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET /v2/ HTTP/9.9\r\n\r\n",
        "\u{7f}ELF\r\n\r\n",
    ] {
        let answer = raw::exchange(site.ledge.address(), garbage.as_bytes(), AT_ONCE).await?;
        assert!(
            [0, 400, 505].contains(&raw::status(&answer)),
            "{garbage:?}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    alive(&site).await
}

/// Ledge still answers, and neither panicked nor trapped.
async fn alive(site: &Site) -> Result<()> {
    assert_eq!(site.ledge.get("/v2/").fetch().await?.status, 200);
    assert_eq!(site.manifest("v1").await?.status, 200);
    let log = site.ledge.log().await?;
    let bad = log
        .iter()
        .find(|line| line.contains("panicked") || line.contains("wasm trap"));
    assert_eq!(bad, None);
    Ok(())
}
