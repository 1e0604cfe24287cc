//! What is asked for, and how often.

use std::num::NonZeroUsize;

use ledge_warm::Options;

use crate::images::Image;
use crate::mirror::{Answer, Mirror};

const HUB: &str = "?ns=docker.io";

#[tokio::test]
async fn an_image_is_pulled_whole_and_once() {
    let mirror = Mirror::start().await;
    let image = Image::new("a", &["first layer", "second layer"]);
    image.serve(&mirror, "library/alpine", "3.20");
    let summary = mirror.warm(&["alpine:3.20"]).await;

    let mut expected: Vec<String> = image
        .blobs
        .iter()
        .map(|blob| format!("GET /v2/library/alpine/blobs/{}{HUB}", blob.digest))
        .collect();
    expected.push(format!("GET /v2/library/alpine/manifests/3.20{HUB}"));
    expected.sort();
    assert_eq!(mirror.seen(), expected);

    let row = &summary.rows[0];
    assert_eq!((row.result(), row.objects), ("warm", 4));
    assert_eq!((row.bytes, row.present, row.shared), (image.size(), 0, 0));
    assert_eq!(
        row.digest.as_ref().map(|d| d.as_str()),
        Some(&*image.manifest.digest)
    );
    assert_eq!(summary.failed(), 0);
    let json = summary.json();
    assert_eq!(json["images"][0]["image"], "docker.io/library/alpine:3.20");
    assert_eq!(
        (json["bytes"].as_u64(), json["failed"].as_u64()),
        (Some(image.size()), Some(0))
    );
}

#[tokio::test]
async fn what_the_mirror_had_is_told_apart() {
    let mirror = Mirror::start().await;
    let image = Image::new("a", &["had", "had not"]);
    image.serve(&mirror, "a/b", "v1");
    let had = &image.blobs[1];
    let path = format!("/v2/a/b/blobs/{}", had.digest);
    mirror.serve(
        &path,
        Answer::ok(had.bytes.clone()).field("cache-status", "ledge; hit"),
    );
    let summary = mirror.warm(&["ghcr.io/a/b:v1"]).await;
    assert_eq!(summary.present(), had.len());
    assert_eq!(summary.bytes(), image.size());
    assert!(
        mirror
            .seen()
            .iter()
            .all(|request| request.ends_with("?ns=ghcr.io"))
    );
}

/// The second image of a repository asks for nothing that the first one brought; another
/// repository asks by HEAD.
#[tokio::test]
async fn a_shared_layer_is_pulled_once() {
    let mirror = Mirror::start().await;
    let (one, two, far) = (
        Image::new("one", &["base", "one"]),
        Image::new("two", &["base", "two"]),
        Image::new("far", &["base"]),
    );
    one.serve(&mirror, "a/b", "one");
    two.serve(&mirror, "a/b", "two");
    far.serve(&mirror, "c/d", "far");
    let summary = mirror.warm(&["a/b:one", "a/b:two", "c/d:far"]).await;
    assert_eq!(summary.failed(), 0);
    let base = &one.blobs[1];
    let seen = mirror.seen();
    let asked: Vec<&str> = seen
        .iter()
        .filter(|r| r.contains(&base.digest))
        .map(|r| &r[..r.find(" /v2").unwrap_or(0)])
        .collect();
    // Whichever repository came first got it, and the other asked for its right to show it.
    assert_eq!(asked, ["GET", "HEAD"]);
    assert_eq!(
        summary.bytes(),
        one.size() + two.size() + far.size() - 2 * base.len()
    );
    let shared: u64 = summary.rows.iter().map(|row| row.shared).sum();
    assert_eq!(shared, 2 * base.len());
    assert_eq!(seen.len(), 3 + 3 + 2 + 1 + 1);
}

/// The repository that asks first may not show the blob; the next one pulls it all the same.
#[tokio::test]
async fn one_repositorys_refusal_is_not_anothers() {
    let mirror = Mirror::start().await;
    let image = Image::new("same", &["layer"]);
    image.serve(&mirror, "a/denied", "v1");
    image.serve(&mirror, "b/shown", "v1");
    let blob = &image.blobs[1];
    let path = format!("/v2/a/denied/blobs/{}", blob.digest);
    mirror.serve(
        &path,
        Answer::new(
            403,
            r#"{"errors":[{"code":"DENIED","message":"by rule 'x'"}]}"#,
        ),
    );
    let summary = mirror.warm(&["a/denied:v1", "b/shown:v1"]).await;
    assert_eq!(summary.rows[0].result(), "failed");
    let why = summary.rows[0].failure.as_ref().map(ToString::to_string);
    assert_eq!(
        why,
        Some(format!(
            "blob {}: the mirror answered 403 DENIED by rule 'x'",
            blob.digest
        ))
    );
    assert_eq!(summary.rows[1].result(), "warm");
    assert!(
        mirror
            .seen()
            .contains(&format!("GET /v2/b/shown/blobs/{}{HUB}", blob.digest))
    );
}

#[tokio::test]
async fn a_dry_run_reads_manifests_alone() {
    let mirror = Mirror::start().await;
    let image = Image::new("a", &["layer"]);
    image.serve(&mirror, "a/b", "v1");
    let options = Options {
        dry_run: true,
        ..mirror.options()
    };
    let summary = mirror.warm_with(&["a/b:v1"], &options).await;
    assert_eq!(mirror.seen(), [format!("GET /v2/a/b/manifests/v1{HUB}")]);
    let row = &summary.rows[0];
    assert_eq!(
        (row.result(), row.bytes, row.objects),
        ("would pull", image.size(), 3)
    );
}

/// The mirror answers blobs in pairs, so there are two at once, and never three.
#[tokio::test]
async fn so_many_requests_run_at_once() {
    let mirror = Mirror::meeting(2).await;
    let image = Image::new("a", &["1", "2", "3", "4", "5"]);
    image.serve(&mirror, "a/b", "v1");
    let two = NonZeroUsize::new(2).expect("two");
    let options = Options {
        jobs: two,
        ..mirror.options()
    };
    let summary = mirror.warm_with(&["a/b:v1"], &options).await;
    assert_eq!((summary.failed(), mirror.most()), (0, 2));
}
